"""Readable names of workloads."""

from typing import Any

import pytest

from bnbench.scoring.workload_names import workload_names


def named(*configs: dict[str, Any], dataset: str = "digits") -> list[str]:
    names = workload_names([(f"{index:012x}", dataset, config) for index, config in enumerate(configs)])
    return [names[f"{index:012x}"] for index in range(len(configs))]


def test_a_lone_workload_is_its_dataset() -> None:
    assert named({"optimizer": {"lr": 0.1}}) == ["digits"]


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({"optimizer": {"lr": 0.1}}, {"optimizer": {"lr": 1e-05}}, ["digits · lr=0.1", "digits · lr=1e-05"]),
        (
            {"model": {"hidden": [64, 64]}},
            {"model": {"hidden": [8]}},
            ["digits · hidden=[64,64]", "digits · hidden=[8]"],
        ),
        (
            {"trainer": {"precision": "32", "devices": 1}},
            {"trainer": {"precision": "bf16", "devices": 2}},
            ["digits · precision=32", "digits · precision=bf16"],
        ),
        (
            {"model": {"name": "mlp"}, "optimizer": {"name": "sgd"}},
            {"model": {"name": "own"}, "optimizer": {"name": "adam"}},
            ["digits · model.name=mlp, optimizer.name=sgd", "digits · model.name=own, optimizer.name=adam"],
        ),
        (
            {"optimizer": {"lr": 0.1, "momentum": 0.9}},
            {"optimizer": {"lr": 0.1}},
            ["digits · momentum=0.9", "digits"],
        ),
    ],
    ids=["number", "list", "only-precision-of-the-trainer", "prefix-where-ambiguous", "absent"],
)
def test_a_name_says_what_differs(first: dict[str, Any], second: dict[str, Any], names: list[str]) -> None:
    assert named(first, second) == names


def test_numbers_equal_in_value_do_not_differ() -> None:
    config = {"optimizer": {"lr": 1}, "budget": {"max_steps": 5}}
    other = {"optimizer": {"lr": 1.0}, "budget": {"max_steps": 6}}
    assert named(config, other) == ["digits · max_steps=5", "digits · max_steps=6"]


def test_what_decides_no_result_is_not_in_the_name_and_names_stay_unique() -> None:
    assert named({"runs_dir": "a"}, {"runs_dir": "b"}) == ["digits [000000]", "digits [000000]"]


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ("targets", {"easy": 0.5}, {"easy": 0.6}),
        ("targets", None, {"easy": 0.6}),
        ("about", {"rows": 5}, {"rows": 6}),
        ("path", "a.csv", "b.csv"),
        ("source", "file", "arrays"),
    ],
)
def test_where_the_rows_lie_and_their_targets_are_not_in_the_name(key: str, first: Any, second: Any) -> None:
    configs = [{"dataset": {"name": "own", "data_seed": seed, key: value}} for seed, value in ((0, first), (1, second))]
    assert named(*configs) == ["digits · data_seed=0", "digits · data_seed=1"]


def test_other_data_sets_do_not_lengthen_a_name() -> None:
    names = workload_names(
        [("a", "digits", {"optimizer": {"lr": 0.1}}), ("b", "breast_cancer", {"optimizer": {"lr": 0.3}})]
    )
    assert names == {"a": "digits", "b": "breast_cancer"}
