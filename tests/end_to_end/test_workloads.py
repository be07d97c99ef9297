"""Every workload composes, has a ladder of its own and reaches its cells; a suite that is out is frozen."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from bnbench.config import Config, learning_rates, parse_seeds
from bnbench.datasets import load
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.records import digest
from bnbench.train import CONF
from bnbench.training.cells import plan_cells

WORKLOADS = sorted(path.stem for path in (CONF / "workload").glob("*.yaml"))
SUITES = sorted(path.stem for path in (CONF / "experiment").glob("suite_*.yaml"))
FROZEN = Path(__file__).parent / "frozen_suites"
COMPARISONS_ALPHA = 0.05


def header_of(workload: str) -> list[str]:
    lines = (CONF / "workload" / f"{workload}.yaml").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# ")]


def swept_by(suite: str) -> tuple[list[str], list[str]]:
    """The workloads and the norms of a suite."""
    stated = OmegaConf.load(CONF / "experiment" / f"{suite}.yaml")
    params = stated.hydra.sweeper.params
    assert params.keys() == {"+workload", "norm"}
    return params["+workload"].split(","), params["norm"].split(",")


@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload_says_how_to_run_it_and_what_it_is_for(workload: str) -> None:
    package, command, *purpose = header_of(workload)
    assert package == "@package _global_"
    assert shlex.split(command)[:4] == ["python", "-m", "bnbench.train", f"+workload={workload}"]
    assert len(" ".join(purpose)) > 80


@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload_has_a_grid_its_recipe_and_a_ladder_measured_on_it(
    workload: str, compose: Callable[..., Config]
) -> None:
    config = compose(f"+workload={workload}")
    rates = learning_rates(config)
    assert (config.track, len(rates)) == ("tuned", 5)
    assert config.recipe_lr in rates[1:-1]
    targets: Any = config.dataset.targets
    assert targets.provenance.endswith(f"python -m benchmarks.targets +workload={workload}")
    assert targets.metric == config.dataset.metric
    assert targets.dataset == config.dataset.name
    # the recipe alone, as the yaml says
    alone = next(line for line in (CONF / "workload" / f"{workload}.yaml").read_text().splitlines() if "alone" in line)
    assert compose(f"+workload={workload}", *alone.partition("alone: ")[2].split()).recipe_lr is None
    assert alone.endswith(f"optimizer.lr={config.recipe_lr:g}")


@pytest.mark.parametrize("suite", SUITES)
def test_every_norm_of_a_suite_can_be_shown_different_from_none(suite: str, compose: Callable[..., Config]) -> None:
    workloads, norms = swept_by(suite)
    seeds = len(parse_seeds(compose(f"+experiment={suite}", f"+workload={workloads[0]}").seeds))
    assert len(workloads) >= 6
    assert set(workloads) <= set(WORKLOADS)
    assert norms[0] == "none"
    pairs = len(norms) * (len(norms) - 1) // 2
    assert 2 / 2 ** (seeds - 2) <= COMPARISONS_ALPHA / (len(norms) - 1)  # with two ties
    assert 2 / 2**seeds <= COMPARISONS_ALPHA / pairs


def test_a_ladder_does_not_follow_its_workload_to_another_data_set(compose: Callable[..., Config]) -> None:
    """Accuracy 0.93 of digits says nothing of wine; whoever wants the rest of the workload says what to aim at."""
    elsewhere = ("+workload=digits_sigmoid", "dataset=wine")
    with pytest.raises(UserError, match=r"dataset=wine: the target ladder is for digits; set dataset.targets=null"):
        load(compose(*elsewhere).dataset)
    assert load(compose(*elsewhere, "dataset.targets=null").dataset).targets is None


def frozen(suite: str, compose: Callable[..., Config]) -> dict[str, Any]:
    """What decides the results of a suite: a digest per workload, its rates and targets, the norms, the seeds."""
    workloads, norms = swept_by(suite)
    found: dict[str, Any] = {"norms": norms, "workloads": {}}
    for workload in workloads:
        config = compose(f"+experiment={suite}", f"+workload={workload}")
        cells = plan_cells(config, load(config.dataset), choose_norm({"name": "none"}))
        identity = cells[0].identity["workload"]
        optimizer = {key: value for key, value in identity["optimizer"].items() if key != "lr"}
        # a new engine makes new numbers of the same suite
        deciding = {key: value for key, value in identity.items() if key != "engine_version"}
        found["workloads"][workload] = {
            "deciding": digest({**deciding, "optimizer": optimizer}),
            "learning_rates": list(learning_rates(config)),
            "recipe_lr": config.recipe_lr,
            "targets": {level: getattr(config.dataset.targets, level) for level in ("easy", "medium", "hard")},
            "track": config.track,
            "seeds": len(parse_seeds(config.seeds)),
            "max_extensions": config.tuning.max_extensions,
        }
    return found


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_that_is_out_never_changes(suite: str, compose: Callable[..., Config]) -> None:
    """A change makes another suite: copy the yaml to the next version, and what fails here to a file of its own."""
    expected = json.loads((FROZEN / f"{suite}.json").read_text(encoding="utf-8"))
    assert frozen(suite, compose) == expected
