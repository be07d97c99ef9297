"""What a batch of replicas held in memory is free when it has trained, without Python's collector."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from torch import nn

from bnbench.config import Config
from bnbench.datasets import Task
from bnbench.norms import choose_norm
from bnbench.training import fit as fit_module
from bnbench.training.fit import Member, fit
from bnbench.training.replicas import Replicas


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Failing:
    """An observer that breaks off training."""

    def observe(self, *_: Any) -> None:
        raise RuntimeError("broken off")


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_replicas_are_gone_when_training_ends_or_fails(
    configure: Callable[..., Config],
    task_of: Callable[..., Task],
    monkeypatch: pytest.MonkeyPatch,
    stacked: bool,
    fails: bool,
) -> None:
    made: list[weakref.ref[Replicas]] = []

    def watched(networks: Sequence[nn.Module], **options: Any) -> Replicas:
        replicas = Replicas(networks, **options)
        made.append(weakref.ref(replicas))
        return replicas

    monkeypatch.setattr(fit_module, "Replicas", watched)
    config, members = configure("batch"), [Member(seed, 0.1) for seed in (0, 1)]
    expected = pytest.raises(RuntimeError, match="broken off") if fails else nullcontext()
    with expected:
        observers = [Failing()] if fails else []
        fit(config, task_of(), choose_norm(config.norm), members, stacked=stacked, observers=observers)
    # the error holds the frames it came through
    del expected
    assert [replicas() for replicas in made] == [None]
