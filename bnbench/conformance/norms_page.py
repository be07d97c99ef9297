"""The page docs/norms.md, made from the registry, the docstrings and the measured traits."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bnbench.conformance.catalogue import Entry, first_sentence
from bnbench.conformance.traits import Traits

COMMAND = "python -m bnbench.check --list --markdown"
INTRODUCTION = f"""# Norms

Every norm that is registered: `norm=NAME` on the command line of `bnbench.train`, its options as `norm.OPTION=VALUE`.
x are the inputs, y the outputs of a layer; μ and σ² are mean and biased variance. Traits are measured by
`bnbench.check`, not declared: at the defaults, with 24 features, in training mode where nothing else is said. *Rows
coupled* means that the output of a row depends on the other rows of its batch; a norm is *invariant* to a change of its
inputs where its outputs stay the same but for ε. What is *stateful* remembers something of training.

This page is made by `{COMMAND}`."""

COLUMNS = ("norm", "formula", "parameters", "state", "traits", "source")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_CODE = re.compile(r"(`[^`]*`)")


@dataclass(frozen=True)
class _Group:
    title: str
    said: str


_WEIGHTS = _Group("Of the weights", "Kind `weight`: the layer takes the place of a `torch.nn.Linear`.")
_BATCH = _Group("Over the batch", "Kind `activation`: statistics of the batch, so rows are coupled in training.")
_ROW = _Group("Over a row", "Kind `activation`: statistics of a row, or of groups of its features.")
_VALUE = _Group("Value by value", "Kind `activation`: no statistics; what a value becomes depends on no other.")
_UNKNOWN = _Group("Not measured", "These raise where their traits would be measured; `bnbench.check` says what.")
GROUPS = (_BATCH, _ROW, _VALUE, _WEIGHTS, _UNKNOWN)


def to_markdown(entries: Sequence[Entry]) -> str:
    """Return the page: a table and a list of options per group of norms."""
    parts = [INTRODUCTION]
    for group in GROUPS:
        members = [entry for entry in entries if _group(entry) is group]
        if members:
            parts += [f"## {group.title}", group.said, _table(members), "\n".join(map(_details, members))]
    return "\n\n".join(parts) + "\n"


def traits_in_short(traits: Traits) -> str:
    """Return what a norm is, in as few words as say it."""
    coupled = {
        (False, False): "rows independent",
        (True, False): "rows coupled in training",
        (False, True): "rows coupled in evaluation",
        (True, True): "rows coupled, in evaluation too",
    }[traits.rows_coupled_in_training, traits.rows_coupled_in_evaluation]
    invariances = [
        _invariant("a row", shift=traits.row_shift_invariant, scale=traits.row_scale_invariant),
        _invariant("a feature", shift=traits.feature_shift_invariant, scale=traits.feature_scale_invariant),
        "scale of the weights" if traits.weight_scale_invariant else "",
    ]
    invariant = " and ".join(filter(None, invariances))
    said = [
        coupled,
        f"invariant to {invariant}" if invariant else "",
        "training ≠ evaluation" if traits.training_differs_from_evaluation else "",
        "stateful" if traits.stateful else "",
        "random" if traits.random else "",
    ]
    return "; ".join(filter(None, said))


def _invariant(whose: str, *, shift: bool, scale: bool) -> str:
    changes = [name for name, holds in (("shift", shift), ("scale", scale)) if holds]
    return f"{' and '.join(changes)} of {whose}" if changes else ""


def _group(entry: Entry) -> _Group:
    traits = entry.traits
    if traits is None:
        return _UNKNOWN
    if entry.kind == "weight":
        return _WEIGHTS
    if traits.rows_coupled_in_training:
        return _BATCH
    # a value divided by its own size forgets the scale of its feature as well
    over_row = (traits.row_shift_invariant or traits.row_scale_invariant) and not traits.feature_scale_invariant
    return _ROW if over_row else _VALUE


def _table(entries: Iterable[Entry]) -> str:
    return "\n".join([_line(COLUMNS), _line(":--" for _ in COLUMNS), *(_line(_cells(entry)) for entry in entries)])


def _cells(entry: Entry) -> list[str]:
    said = entry.description
    return [
        f"`{entry.name}`",
        _in_table(_shown(said.formula)) or "–",
        _in_table(_shown(said.parameters)) or "–",
        _in_table(_shown(said.state)) or "–",
        traits_in_short(entry.traits) if entry.traits else "–",
        _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", _in_table(_shown(said.source))) or "–",
    ]


def _details(entry: Entry) -> str:
    given = ", ".join(f"`{name}={_value(value)}`" for name, value in entry.options.items())
    options = f"Options: {given}." if given else "No options."
    origin = "" if entry.origin == "bnbench" else f" From {_shown(entry.origin)}."
    return f"- `{entry.name}`: {_shown(first_sentence(entry.description.summary))}{origin} {options}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(text: str) -> str:
    """Return text that Markdown shows as it is, but for `code` in it."""
    parts = _CODE.split(text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<\[\]])", r"\\\1", part) for part in parts)


def _value(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
