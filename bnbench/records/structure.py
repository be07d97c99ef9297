"""A JSON Schema compiled into plain checks: the subset that run.schema.json uses, much faster than interpreting it.

Reading 5,000 records must take seconds, and jsonschema alone takes one millisecond each. The tests hold the two equal.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str], list[str]]
"""A check returns the problems of a value that stands at a place such as ``seeds[3].final``."""

# NaN fails every comparison, so bounds written as "not (low <= value <= high)" refuse it as well.
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_ANNOTATIONS = {"$schema", "$defs", "title", "description"}
_MAX_SHOWN = 80


def compile_schema(schema: Mapping[str, Any]) -> Check:
    """Return one check for a whole schema; raises ValueError for a keyword that would go unchecked.

    An integer must be written as one: 3.0, an integer to JSON Schema, is refused.
    """
    return _compile(schema, definitions=schema.get("$defs", {}))


def _compile(schema: Mapping[str, Any], *, definitions: Mapping[str, Any]) -> Check:
    if "$ref" in schema:
        return _compile(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions=definitions)
    types = [schema["type"]] if isinstance(schema.get("type"), str) else list(schema.get("type", []))
    rules = [
        _RULES[keyword](schema, definitions)
        for keyword in schema
        if keyword not in _ANNOTATIONS and keyword != "type" and _known(keyword)
    ]

    fits = _fits(types)

    def check(value: Any, where: str) -> list[str]:
        if not fits(value):
            return [f"{where or 'the record'} is {shown(value)}; expected {' or '.join(types)}"]
        if not rules:
            return []
        return [problem for rule in rules for problem in rule(value, where)]

    return check


def _fits(types: Sequence[str]) -> Callable[[Any], bool]:
    """Return whether a value is of one of the types; none are all."""
    tests = [_TYPES[name] for name in types] or [lambda _: True]
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) or second(value)
    return lambda value: any(test(value) for test in tests)


def shown(value: Any) -> str:
    """Return the value for a message, cut where a stranger made it long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _known(keyword: str) -> bool:
    if keyword not in _RULES:
        raise ValueError(f"schema keyword {keyword!r} is not supported; known: {', '.join(sorted(_RULES))}")
    return True


def _const(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    return _enum({"enum": [schema["const"]]}, _)


def _enum(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    # A list of (type, value): True is not 1 to JSON, and a value may be unhashable.
    allowed = [(type(choice), choice) for choice in schema["enum"]]
    text = " or ".join(map(repr, schema["enum"]))
    return lambda value, where: (
        [] if (type(value), value) in allowed else [f"{where} is {shown(value)}; expected {text}"]
    )


def _minimum(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    low = schema["minimum"]
    return lambda value, where: [] if value is None or value >= low else [f"{where} is {shown(value)}; at least {low}"]


def _maximum(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    high = schema["maximum"]
    return lambda value, where: [] if value is None or value <= high else [f"{where} is {shown(value)}; at most {high}"]


def _pattern(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    pattern = re.compile(schema["pattern"])
    return lambda value, where: (
        [] if pattern.search(value) else [f"{where} is {shown(value)}; does not match {pattern.pattern}"]
    )


def _max_length(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    longest = schema["maxLength"]
    return lambda value, where: (
        [] if len(value) <= longest else [f"{where} has {len(value)} characters; at most {longest}"]
    )


def _min_items(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    fewest = schema["minItems"]
    return lambda value, where: [] if len(value) >= fewest else [f"{where} has {len(value)} items; at least {fewest}"]


def _items(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Check:
    check = _compile(schema["items"], definitions=definitions)
    return lambda value, where: [
        problem for index, item in enumerate(value) for problem in check(item, f"{where}[{index}]")
    ]


def _required(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    names = schema["required"]
    return lambda value, where: (
        [f"{_join(where, name)} is missing" for name in names if name not in value] if value is not None else []
    )


def _properties(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Check:
    checks = {name: _compile(part, definitions=definitions) for name, part in schema["properties"].items()}

    def check(value: Any, where: str) -> list[str]:
        if value is None:
            return []
        return [
            problem
            for name, part in checks.items()
            if name in value
            for problem in part(value[name], _join(where, name))
        ]

    return check


def _additional_properties(schema: Mapping[str, Any], _: Mapping[str, Any]) -> Check:
    if schema["additionalProperties"] is not False:
        raise ValueError("additionalProperties is only supported as false")
    known = set(schema["properties"])
    return lambda value, where: (
        [f"{_join(where, shown(name))} is not a key of a record" for name in value if name not in known]
        if value is not None
        else []
    )


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


_RULES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Check]] = {
    "const": _const,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": _pattern,
    "maxLength": _max_length,
    "minItems": _min_items,
    "items": _items,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional_properties,
}
