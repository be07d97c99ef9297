"""Runs in Weights & Biases are offline unless somebody is logged in, and a missing network is waited for once."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bnbench import wandb_run
from bnbench.config import Config
from bnbench.errors import UserError
from bnbench.train import observers
from bnbench.training.job import run_job


class Wandb:
    """Stands for the package: whether somebody is logged in."""

    def __init__(self, *, logged_in: bool) -> None:
        self.logged_in = logged_in

    def login(self, *, prompt: bool, verify: bool) -> bool:
        assert (prompt, verify) == (False, False), "a run neither asks nor waits for the network"
        return self.logged_in


@pytest.mark.parametrize(
    ("variable", "logged_in", "mode"),
    [("", False, "offline"), ("", True, "online"), ("disabled", True, "disabled"), ("offline", True, "offline")],
)
def test_runs_are_offline_unless_somebody_is_logged_in(
    variable: str, logged_in: bool, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", variable)
    assert wandb_run._mode(Wandb(logged_in=logged_in)) == mode


def test_a_mode_that_does_not_exist_is_named_with_the_nearest_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(UserError, match=r"WANDB_MODE=ofline .* did you mean 'offline'\?"):
        wandb_run._mode(Wandb(logged_in=False))


class Unreachable(Wandb):
    """Stands for the package where somebody is logged in and the network is gone."""

    Error = ConnectionError
    Settings = dict

    def __init__(self) -> None:
        super().__init__(logged_in=True)
        self.modes: list[str] = []

    def setup(self, *, settings: Any) -> None:
        """Take settings of the process."""

    def init(self, *, mode: str, **_: Any) -> "Unreachable":
        self.modes.append(mode)
        if mode == "online":
            raise ConnectionError("no such host")
        return self

    def define_metric(self, *_: Any, **__: Any) -> None:
        """Take an axis."""

    def log(self, *_: Any) -> None:
        """Take metrics."""

    @property
    def summary(self) -> dict[str, Any]:
        return {}

    def finish(self, *, exit_code: int) -> None:
        """Finish."""


def test_without_the_network_runs_are_kept_offline_and_only_the_first_waits(
    configure: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Unreachable()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setenv("WANDB_MODE", "")
    config = configure("logger=wandb", "optimizer.lr=[0.1,0.2,0.3]")
    with pytest.warns(UserWarning, match="cannot be reached; runs are kept offline: no such host") as told:
        run_job(config, observe=partial(observers, config, ""))
    assert len(told) == 1
    assert wandb.modes == ["online", "offline", "offline", "offline"]
