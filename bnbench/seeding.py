"""One seed becomes many named, independent random streams, so that no part of a run shifts another's draws."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int32
from torch import Tensor, nn

TUNING_SEEDS = 1_000_000
TARGET_SEEDS = 2_000_000


def stream_seed(seed: int, *name: str) -> int:
    """Return the 63-bit seed of the stream called `name`: the head of SHA-256("seed/name/...").

    >>> stream_seed(0, "data order") != stream_seed(1, "data order") != stream_seed(0, "initialisation")
    True
    """
    text = "/".join((str(seed), *name))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *name: str) -> torch.Generator:
    """Return a CPU generator at the start of the stream called `name`: the same whatever the training device."""
    return torch.Generator().manual_seed(stream_seed(seed, *name))


@contextmanager
def global_stream(seed: int, *name: str) -> Iterator[None]:
    """Run code that draws from torch's global generator on a stream of its own; the outer state is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, *name))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Run code on one thread: factorisations, as of orthogonal initial weights, round by the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class CounterRandom(nn.Module):
    """Uniform 32-bit integers by hashing (key, step, position): the only randomness allowed inside a network.

    h = mix(position · A + mix(key ^ mix(step))), mix being Wellons's lowbias32 (hash prospector).
    A draw depends on nothing but the replica's own key and step, so it stacks under `vmap`, is the same on every
    device and does not change with the company a replica trains in.

    State: `key` and `step`, int32 scalars. `key` is set from the seed by `key_random_streams`.
    """

    key: Tensor
    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("key", torch.zeros((), dtype=torch.int32))
        self.register_buffer("step", torch.zeros((), dtype=torch.int32))

    def forward(self, like: Tensor, *, first: int = 0) -> Int32[Tensor, "..."]:
        """Return int32 values, uniform over all 2³² of them, shaped as `like`; every call advances the step.

        `first` is the position of the first one: what holds a part of a whole draws what the whole would there.
        """
        self.step.add_(1)
        base = _mix(self.key ^ _mix(self.step * 668265263))
        position = torch.arange(first, first + like.numel(), dtype=torch.int32, device=like.device).view(like.shape)
        return _mix(position * -1640531535 + base)

    def uniform(self, like: Tensor, *, first: int = 0) -> Float[Tensor, "..."]:
        """Return floats in [0, 1) in the dtype of `like`: 24 random bits each, 11 in float16 and 8 in bfloat16.

        As many as the precision holds, so that none is rounded up to 1.
        """
        num_bits = {torch.float16: 11, torch.bfloat16: 8}.get(like.dtype, 24)
        bits = (self(like, first=first) >> (32 - num_bits)) & (2**num_bits - 1)
        return bits.to(like.dtype) * 2.0**-num_bits

    def normal(self, like: Tensor, *, first: int = 0) -> Float[Tensor, "..."]:
        """Return standard Gaussian floats, in the dtype of `like`: Φ⁻¹ of the middles of 2²³ equal parts of (0, 1).

        23 bits, since float32 holds the middles of no more parts exactly; the largest is 5.3.
        """
        bits = (self(like, first=first) >> 9) & 0x7FFFFF
        # the middles are beyond half precision: rounded at the end
        middles = (2 * bits - 0x7FFFFF).to(torch.promote_types(like.dtype, torch.float32)) * 2.0**-23
        return (torch.erfinv(middles) * 2**0.5).to(like.dtype)


def _mix(value: Tensor) -> Tensor:
    # int32 arithmetic wraps, and >> keeps the sign: the mask makes it the logical shift the hash needs
    value = (value ^ ((value >> 16) & 0xFFFF)) * 2146121005
    value = (value ^ ((value >> 15) & 0x1FFFF)) * -2073254261
    return value ^ ((value >> 16) & 0xFFFF)


def key_random_streams(network: nn.Module, seed: int) -> None:
    """Give every `CounterRandom` in the network its own stream of `seed`, named by where it stands."""
    for name, module in network.named_modules():
        if isinstance(module, CounterRandom):
            key = stream_seed(seed, "random", name) & 0xFFFFFFFF
            module.key.fill_(key - (1 << 32) if key >= 1 << 31 else key)
