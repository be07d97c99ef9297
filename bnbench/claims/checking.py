"""Whether what was read from a file is of the types that its dataclass declares: a file may come from anybody."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bnbench.claims.claim import Curve

# beyond it an integer of a file is no float any more
LARGEST_INTEGER = 2**63


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def check(value: Any, *, where: str) -> None:
    """Raise ValueError, which names the place, where a dataclass holds what its fields do not declare."""
    if isinstance(value, Curve):
        _check_curve(value, where=where)
        return
    for field in fields(value):
        _check(getattr(value, field.name), _hints(value.__class__)[field.name], where=f"{where}.{field.name}")


def _check(value: Any, declared: Any, *, where: str) -> None:
    if not _fits(value, declared):
        raise ValueError(f"{where} is {str(value)[:40]!r}")
    if is_dataclass(value):
        check(value, where=where)
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            _check(inner, get_args(declared)[0], where=f"{where}[{index}]")


def _fits(value: Any, declared: Any) -> bool:
    """Return whether a value is of a declared type; what it holds itself is looked at one by one."""
    kind = get_origin(declared)
    if kind in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(declared))
    if kind is Literal:
        return isinstance(value, str) and value in get_args(declared)
    if kind is Mapping:
        return isinstance(value, dict) and all(isinstance(each, str) for each in (*value, *value.values()))
    if declared is float:
        return isinstance(value, float) or _fits(value, int)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_INTEGER
    return isinstance(value, kind or declared)


def _check_curve(curve: Curve, *, where: str) -> None:
    """Take null for a number that is none, and as many of all as there are points."""
    if not all(isinstance(each, kind) for each, kind in ((curve.name, str), (curve.dashed, bool))):
        raise ValueError(f"{where} is {str((curve.name, curve.dashed))[:40]!r}")
    for name in ("x", "y", "low", "high"):
        values = getattr(curve, name)
        if values is None and name in ("low", "high"):
            continue
        if not isinstance(values, list) or not all(each is None or _fits(each, float) for each in values):
            raise ValueError(f"{where}.{name} holds what is no number")
        if len(values) != len(curve.x):
            raise ValueError(f"{where}.{name} holds {len(values)} values, and x {len(curve.x)}")
