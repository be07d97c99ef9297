"""The shipped JSON Schema and the fast check say the same, and the rules between fields hold."""

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from bnbench.records import SCHEMA_VERSION, load_schema, validate
from bnbench.records.structure import compile_schema

Raw = Callable[..., dict[str, Any]]
REMOVED = object()

# (path, new value): each makes a sound record one that the schema refuses.
MUTATIONS: list[tuple[str, Any]] = [
    *((key, REMOVED) for key in load_schema()["required"]),
    *((key, None) for key in load_schema()["required"] if key not in {"targets", "error"}),
    ("surprise", 1),
    ("schema_version", 2),
    ("schema_version", "1"),
    ("schema_version", True),
    ("cell_id", "0123456789abc"),
    ("cell_id", "0123456789a\n"),
    ("cell_id", "../../../etc"),
    ("workload_id", "ABCDEF012345"),
    ("workload", ""),
    ("entry", "clear\x1b[2J"),
    ("entry", "batch\n"),
    ("norm", "x" * 1001),
    ("dataset", "\u202edigits"),
    ("experiments", "quickstart"),
    ("experiments", [1]),
    ("track", "other"),
    ("status", "running"),
    ("config", []),
    ("identity.workload", REMOVED),
    ("identity.entry", "batch"),
    ("identity.more", {}),
    ("metric.name", "loss"),
    ("metric.name", "a b"),
    ("metric.name", "accuracy\n"),
    ("metric.direction", "up"),
    ("metric.trivial", None),
    ("metric.trivial", "0.1"),
    ("metric.trivial", True),
    ("metric.trivial", 10**400),
    ("metric.trivial", REMOVED),
    ("targets.easy", "0.8"),
    ("targets.hard", REMOVED),
    ("targets.provenance", 1),
    ("targets.more", 1),
    ("seeds", []),
    ("seeds", {}),
    ("seeds.0", 3),
    ("seeds.0.seed", -1),
    ("seeds.0.seed", 2**63),
    ("seeds.0.seed", True),
    ("seeds.0.seed", "0"),
    ("seeds.0.status", "done"),
    ("seeds.0.status", ["finished"]),
    ("seeds.0.diverged_at_step", -1),
    ("seeds.0.final", []),
    ("seeds.0.spikes", 0.5),
    ("seeds.0.max_loss", "inf"),
    ("rows", -1),
    ("rows", 0.5),
    ("rows", 10**30),
    ("timing.train_seconds", -1.0),
    ("timing.replicas", REMOVED),
    ("timing.steps", None),
    ("environment", "here"),
    ("error", "boom"),
    ("error", {"type": "E", "message": "m"}),
]
# Each keeps the record's shape, whether or not the rules between fields then hold.
SHAPELY: list[tuple[str, Any]] = [
    ("targets", None),
    ("targets.hard", None),
    ("entry", "<script>alert(1)</script>"),
    ("entry", "group(num_groups=8) µ 归一化"),
    ("experiments", []),
    ("metric.trivial", 1),
    ("metric.trivial", 1e308),
    ("seeds.0.status", "failed"),
    ("seeds.0.seed", 2**63 - 1),
    ("seeds.0.max_loss", None),
    ("seeds.0.more", {"calibration": 0.1}),
    ("timing.train_seconds", None),
    ("timing.more", 1),
    ("rows", 2**63 - 1),
    ("error", {"type": "E", "message": "m", "traceback": "t"}),
]


def mutated(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    record = copy.deepcopy(record)
    *parents, last = path.split(".")
    target: Any = record
    for name in parents:
        target = target[int(name) if isinstance(target, list) else name]
    if value is REMOVED:
        del target[last]
    else:
        target[int(last) if isinstance(target, list) else last] = value
    return record


def accepted_by_jsonschema(record: Any) -> bool:
    return jsonschema.Draft202012Validator(load_schema()).is_valid(record)


def test_the_schema_is_a_schema_of_the_version_written() -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema())
    assert load_schema()["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


@pytest.mark.parametrize("status", ["finished", "failed"])
def test_a_sound_record_has_no_problem(raw: Raw, status: str) -> None:
    record = raw([0, 1], status=status)
    assert validate(record) == []
    assert accepted_by_jsonschema(record)


@pytest.mark.parametrize(
    ("path", "value"), MUTATIONS, ids=lambda value: "removed" if value is REMOVED else repr(value)[:30]
)
def test_the_fast_check_refuses_what_the_schema_refuses(raw: Raw, path: str, value: Any) -> None:
    record = mutated(raw([0, 1]), path, value)
    assert not accepted_by_jsonschema(record)
    assert compile_schema(load_schema())(record, "")


@pytest.mark.parametrize(
    ("path", "value"), SHAPELY, ids=lambda value: "removed" if value is REMOVED else repr(value)[:30]
)
def test_the_fast_check_accepts_what_the_schema_accepts(raw: Raw, path: str, value: Any) -> None:
    record = mutated(raw([0, 1]), path, value)
    assert accepted_by_jsonschema(record)
    assert compile_schema(load_schema())(record, "") == []


@pytest.mark.parametrize("record", [None, [], "record", 1, {}])
def test_what_is_no_record_at_all_is_refused_by_both(record: Any) -> None:
    assert not accepted_by_jsonschema(record)
    assert validate(record)


@pytest.mark.parametrize("path", ["rows", "seeds.0.seed", "schema_version"])
def test_an_integer_written_as_a_float_is_the_one_thing_only_the_fast_check_refuses(raw: Raw, path: str) -> None:
    record = mutated(raw([1]), path, 1.0)
    assert accepted_by_jsonschema(record)
    assert "is 1.0; expected" in validate(record)[0]


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("cell_id", "0" * 12, "cell_id is '000000000000', but its identity hashes to"),
        ("workload_id", "0" * 12, "workload_id is '000000000000', but its identity hashes to"),
        ("identity.workload.optimizer.lr", 0.2, "but its identity hashes to"),
        ("identity.entry.options", {"x": float("nan")}, "identity cannot be hashed"),
        ("rows", 1, "rows is 1; 2 seeds have at least one row each"),
        ("error", {"type": "E", "message": "m", "traceback": "t"}, "error is set, but status is 'finished'"),
        ("seeds.1.seed", 0, r"seeds[1].seed is 0, which stands in the list twice"),
        ("seeds.0.status", "failed", "seeds[0].status is 'failed' in a record whose status is 'finished'"),
        ("seeds.0.status", "diverged", "diverged_at_step is None for a seed whose status is 'diverged'"),
        ("seeds.0.diverged_at_step", 5, "diverged_at_step is 5 for a seed whose status is 'finished'"),
        ("seeds.1.spikes", REMOVED, "seeds[1].spikes is missing"),
        ("seeds.1.final.test_accuracy", REMOVED, "seeds[1].final.test_accuracy is missing"),
        ("seeds.0.final.val_accuracy", "0.9", "seeds[0].final.val_accuracy is '0.9'; expected number or null"),
        ("seeds.0.final.val_accuracy", True, "seeds[0].final.val_accuracy is True; expected number or null"),
        ("metric.name", "rmse", "seeds[0].final.val_rmse is missing"),
    ],
)
def test_each_rule_between_fields_has_its_message(raw: Raw, path: str, value: Any, problem: str) -> None:
    assert problem in " | ".join(validate(mutated(raw([0, 1]), path, value)))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [("error", None, "a failed record says what failed"), ("rows", 3, "rows is 3; a failed record has none")],
)
def test_a_failed_record_has_an_error_and_no_rows(raw: Raw, path: str, value: Any, problem: str) -> None:
    assert problem in " | ".join(validate(mutated(raw([0], status="failed"), path, value)))


def test_every_problem_is_named_not_only_the_first(raw: Raw) -> None:
    record = mutated(mutated(raw([0]), "track", "x"), "seeds.0.status", "y")
    assert validate(record) == [
        "track is 'x'; expected 'recipe' or 'tuned'",
        "seeds[0].status is 'y'; expected 'finished' or 'diverged' or 'failed'",
    ]


def test_a_long_value_is_cut_in_the_message(raw: Raw) -> None:
    (problem,) = validate(mutated(raw([0]), "track", "x" * 10**6))
    assert len(problem) < 200


def test_a_schema_keyword_that_would_go_unchecked_is_refused() -> None:
    with pytest.raises(ValueError, match="'multipleOf' is not supported"):
        compile_schema({"type": "integer", "multipleOf": 2})
