"""What makes two runs the same run: canonical JSON of the result-deciding keys, and its hash."""

import hashlib
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from bnbench.errors import UserError

ENGINE_VERSION: int = 1
"""Raised by hand whenever the numbers of a run change for the same configuration."""

ID_LENGTH = 12
"""Hex digits of a cell_id or workload_id: 48 bits, a chance of 2e-5 that any two of 100,000 cells collide."""

# The largest float is just below 2**1024: a longer integer equals no float, and no option of a run needs one.
_MAX_INTEGER_BITS = 1024


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, one spelling per number.

    Numbers equal in value are equal in text (``1.0`` as ``1``, ``-0.0`` as ``0``), other floats are written by
    ``repr``, the shortest text that reads back exactly; ``true`` and ``1`` stay different. A tuple is a list.

    Raises UserError for NaN, infinities, keys that are no text, and types that JSON does not have.

    >>> canonical_json({"lr": 0.1, "hidden": (64.0, 64), "bias": True})
    '{"bias":true,"hidden":[64,64],"lr":0.1}'
    """
    return json.dumps(_canonical(value, where=""), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any, *, length: int = ID_LENGTH) -> str:
    """Return the first hex digits of the SHA-256 of ``canonical_json(value)``.

    >>> digest({"lr": 0.1}) == digest({"lr": 0.1}) != digest({"lr": 0.2})
    True
    """
    return _hash(canonical_json(value), length=length)


def run_ids(identity: Mapping[str, Any]) -> tuple[str, str]:
    """Return (cell_id, workload_id): the digests of ``{"workload": ..., "entry": ...}`` and of the workload alone.

    >>> run = {"workload": {"lr": 0.1}, "entry": {"norm": "batch"}}
    >>> run_ids(run) == (digest(run), digest(run["workload"]))
    True
    """
    entry, workload = canonical_json(identity["entry"]), canonical_json(identity["workload"])
    # The canonical text of the two together, without walking the workload a second time.
    return _hash(f'{{"entry":{entry},"workload":{workload}}}'), _hash(workload)


def cell_id(identity: Mapping[str, Any]) -> str:
    """Return the id of workload × entry, see ``run_ids``."""
    return run_ids(identity)[0]


def workload_id(identity: Mapping[str, Any]) -> str:
    """Return the id of everything that decides a result except entry and seed, see ``run_ids``."""
    return run_ids(identity)[1]


def without_introduction_defaults(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that differ from the default each had when it was introduced.

    An option added later, left at the value that keeps the old behaviour, so leaves every older id as it was.

    >>> without_introduction_defaults({"eps": 1e-5, "momentum": 0.2}, {"eps": 1e-5, "momentum": 0.1})
    {'momentum': 0.2}
    """
    return {
        name: value
        for name, value in options.items()
        if name not in defaults or canonical_json(value) != canonical_json(defaults[name])
    }


def _hash(text: str, *, length: int = ID_LENGTH) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _canonical(value: Any, *, where: str) -> Any:
    """Return the value with one spelling per number, or say where in it lies what JSON cannot hold."""
    # bool before int: True is an int to Python, but true and 1 are different options.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where=where)
    if isinstance(value, int):
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise UserError(f"{_name(where)} is an integer of {value.bit_length()} bits; at most 1024 can be recorded")
        return int(value)
    if isinstance(value, float):
        return _number(value, where=where)
    if isinstance(value, list | tuple):
        return [_canonical(item, where=f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, where=where): _canonical(item, where=f"{where}.{key}") for key, item in value.items()}
    raise UserError(
        f"{_name(where)} is a {type(value).__module__}.{type(value).__qualname__}, which JSON cannot hold; "
        "expected a mapping, list, text, number, true, false or null"
    )


def _number(value: float, *, where: str) -> int | float:
    if not isfinite(value):
        raise UserError(f"{_name(where)} is {value}, which JSON cannot hold; expected a finite number or null")
    return int(value) if value.is_integer() else float(value)


def _text(value: str, *, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{_name(where)} is {value!r}, which is no valid Unicode text") from error
    return str.__str__(value)


def _key(key: object, *, where: str) -> str:
    if not isinstance(key, str):
        raise UserError(f"{_name(where)} has the key {key!r} ({type(key).__name__}); expected text as in JSON")
    return _text(key, where=where)


def _name(where: str) -> str:
    return f"the value at {where.removeprefix('.')!r}" if where else "the value"
