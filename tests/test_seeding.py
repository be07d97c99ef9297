"""Named streams of a seed, and the counter-based randomness of networks."""

import contextlib
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from bnbench.models.layers import StackableDropout
from bnbench.seeding import (
    TARGET_SEEDS,
    TUNING_SEEDS,
    CounterRandom,
    generator,
    global_stream,
    key_random_streams,
    one_thread,
    stream_seed,
)

NAMES = ("data order", "initialisation", "network", "norm", "random")


def keyed(seed: int, place: str = "random") -> CounterRandom:
    network = nn.Module()
    random = CounterRandom()
    network.add_module(place, random)
    key_random_streams(network, seed)
    return random


def test_streams_of_neighbouring_seeds_and_names_are_all_different() -> None:
    seeds = [*range(200), TUNING_SEEDS, TUNING_SEEDS + 1, TARGET_SEEDS]
    streams = [stream_seed(seed, name) for seed, name in product(seeds, NAMES)]
    assert len(set(streams)) == len(streams)
    assert all(0 <= stream < 2**63 for stream in streams)


def test_a_seed_means_the_same_forever() -> None:
    """Frozen: records hold seeds, and a seed that came to mean another run would make every record a lie."""
    assert stream_seed(0, "data order") == 7159696962517958688
    assert torch.randperm(8, generator=generator(0, "data order")).tolist() == [3, 4, 0, 7, 1, 2, 5, 6]
    random = keyed(0)
    assert random(torch.empty(4)).tolist() == [135397173, -936805548, 1538936916, 2039252821]


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_different_seeds_draw_differently(one: int, other: int) -> None:
    draws = [torch.rand(4, generator=generator(seed, "initialisation")).tolist() for seed in (one, other)]
    assert (draws[0] == draws[1]) == (one == other)


def test_streams_are_not_correlated() -> None:
    """Of seeds that follow each other and of names of one seed: Pearson correlations within 5 standard errors of 0."""
    count = 20_000
    streams = [torch.randn(count, generator=generator(seed, name)).numpy() for seed in range(4) for name in NAMES[:3]]
    correlations = np.corrcoef(streams)[np.triu_indices(len(streams), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(count)


def test_global_stream_leaves_the_outer_state_alone_even_when_the_block_fails() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with global_stream(0, "network"):
        first = torch.rand(3)
    with contextlib.suppress(RuntimeError), global_stream(0, "network"):
        assert torch.equal(torch.rand(3), first)
        raise RuntimeError
    assert torch.equal(before, torch.get_rng_state())
    with global_stream(1, "network"):
        assert not torch.equal(torch.rand(3), first)


def test_one_thread_puts_the_threads_back_even_when_the_block_fails() -> None:
    before = torch.get_num_threads()
    with contextlib.suppress(RuntimeError), one_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == before


def draws(seed: int, *, steps: int, count: int) -> Tensor:
    random = keyed(seed)
    return torch.stack([random(torch.empty(count)) for _ in range(steps)])


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_of_a_draw_is_uniform(shift: int) -> None:
    values = ((draws(0, steps=50, count=4000) >> shift) & 0xFF).flatten().numpy()
    assert stats.chisquare(np.bincount(values, minlength=256)).pvalue > 1e-4


@pytest.mark.parametrize("bit", [0, 7, 15, 30, 31])
def test_bits_of_neighbours_are_independent(bit: int) -> None:
    """Neighbouring positions, steps and seeds: each pair of bits is one of four cases equally often."""
    table = torch.stack([(draws(seed, steps=40, count=2000) >> bit) & 1 for seed in range(4)])
    pairs = {
        "seeds": (table[:-1], table[1:]),
        "steps": (table[:, :-1], table[:, 1:]),
        "positions": (table[..., :-1], table[..., 1:]),
    }
    for name, (one, other) in pairs.items():
        cases = (2 * one + other).flatten().numpy()
        assert stats.chisquare(np.bincount(cases, minlength=4)).pvalue > 1e-4, name


def test_uniform_numbers_are_uniform_in_zero_to_one() -> None:
    values = torch.cat([keyed(seed).uniform(torch.empty(20_000)) for seed in range(5)])
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values.numpy(), "uniform").pvalue > 1e-4
    assert keyed(0).uniform(torch.empty(3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_draws_in_half_precision_are_those_of_float32_to_its_digits(dtype: torch.dtype) -> None:
    """Beyond 65504 float16 has but infinity; and a number just below 1 must not be rounded up to it."""
    like = torch.empty(100_000)
    uniform, normal = keyed(0).uniform(like.to(dtype)), keyed(0).normal(like.to(dtype))
    assert uniform.dtype == normal.dtype == dtype
    assert uniform.max() < 1
    exact = keyed(0).uniform(like)
    assert ((uniform <= exact) & (exact - uniform.float() < torch.finfo(dtype).eps)).all()
    torch.testing.assert_close(normal, keyed(0).normal(like).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gaussian_numbers_are_gaussian(dtype: torch.dtype) -> None:
    values = torch.cat([keyed(seed).normal(torch.empty(20_000, dtype=dtype)) for seed in range(5)])
    assert values.dtype == dtype
    assert stats.kstest(values.numpy(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gaussian_numbers_at_both_ends_are_finite_and_mirror_each_other(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    random = keyed(0)
    ends = torch.tensor([0, 2**31 - 1, -(2**31), -1], dtype=torch.int32)  # least, around the middle, largest
    monkeypatch.setattr(random, "forward", lambda like, first: ends)
    values = random.normal(torch.empty(4, dtype=dtype))
    assert torch.equal(values, -values.flip(0))
    assert 5.1 < values[3] < 5.4
    assert 0 < values[2] < 1e-6


def test_part_of_a_whole_draws_what_the_whole_would_there() -> None:
    whole, parts = keyed(0), [keyed(0) for _ in range(3)]
    for _ in range(2):
        rows = [part(torch.empty(2, 5), first=10 * number) for number, part in enumerate(parts)]
        assert torch.equal(torch.cat(rows), whole(torch.empty(6, 5)))
    for draw in ("uniform", "normal"):
        last = getattr(parts[2], draw)(torch.empty(2, 5), first=20)
        assert torch.equal(last, getattr(whole, draw)(torch.empty(6, 5))[4:])


def test_no_draw_repeats_within_a_step_nor_between_steps_and_seeds() -> None:
    """The position enters through a bijection; two steps or seeds meet no more often than chance has it."""
    table = torch.stack([draws(seed, steps=3, count=3000) for seed in range(3)]).view(9, -1).numpy()
    assert all(len(set(row.tolist())) == 3000 for row in table)
    # 81 million pairs / 2 over 2^32 values: about 0.0075 meetings per pair of rows
    meetings = sum(len(np.intersect1d(table[k], table[j])) for k in range(9) for j in range(k))
    assert meetings <= 4


def test_stacked_draws_are_those_of_each_replica_alone() -> None:
    replicas = [keyed(seed) for seed in (0, 3, 11)]
    state = {name: torch.stack([dict(random.named_buffers())[name] for random in replicas]) for name in ("key", "step")}
    skeleton = CounterRandom()

    def run(state: dict[str, Tensor], like: Tensor) -> Tensor:
        return torch.func.functional_call(skeleton, state, (like,))

    like = torch.empty(3, 5, 7)
    for step in (1, 2, 3):
        stacked = torch.vmap(run)(state, like)
        assert torch.equal(stacked, torch.stack([random(like[0]) for random in replicas]))
        assert state["step"].tolist() == [step] * 3


def test_streams_of_one_network_are_named_by_place() -> None:
    network = nn.Sequential(StackableDropout(0.5), StackableDropout(0.5))
    key_random_streams(network, 0)
    keys = [module.random.key.item() for module in network]
    assert keys[0] != keys[1]
    again = nn.Sequential(StackableDropout(0.5), StackableDropout(0.5), StackableDropout(0.5))
    key_random_streams(again, 0)
    assert [module.random.key.item() for module in again][:2] == keys


def test_keys_of_many_seeds_are_different_and_of_either_sign() -> None:
    keys = {keyed(seed).key.item() for seed in range(1000)}
    assert len(keys) == 1000
    assert min(keys) < 0 < max(keys)
