"""What `python -m bnbench.check` does once its command line is read."""

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

from bnbench.configuration_packages import configuration_packages
from bnbench.conformance.card import JSON_SCHEMA_VERSION, plain, print_card, to_dict
from bnbench.conformance.catalogue import print_catalogue, read_catalogue
from bnbench.conformance.catalogue import to_dict as catalogue_to_dict
from bnbench.conformance.finding import Verdict
from bnbench.conformance.norms_page import to_markdown
from bnbench.conformance.printing import write
from bnbench.conformance.subject import NUM_FEATURES
from bnbench.conformance.suite import ReportCard, check_norm
from bnbench.conformance.summary import Summary
from bnbench.errors import UserError
from bnbench.norms import NORMS
from bnbench.norms.registration import Kind
from bnbench.plugins import broken_plugins, describe_broken


@dataclass(frozen=True)
class Outcome:
    """How a run over all norms ended: whether any check failed, and the norms that could not be checked."""

    failed: bool
    refusals: tuple[str, ...]


def check_one(
    target: str, *, kind: Kind | None, options: Mapping[str, Any], num_features: int | None, as_json: bool
) -> bool:
    """Print the report card of a norm and return whether no check failed.

    Raises UserError for what cannot be found, imported or built.
    """
    with redirect_stdout(sys.stderr):  # what a stranger's module prints is no part of the card
        card = check_norm(target, kind=kind, options=options, num_features=num_features or NUM_FEATURES)
    if as_json:
        write_json(to_dict(card))
    else:
        print_card(card)
    return not card.of(Verdict.FAIL)


def check_all(*, as_json: bool) -> Outcome:
    """Meet every registered norm at its defaults, print a line for each as it ends, then what was found."""
    names = registered_names()
    cards: list[ReportCard] = []
    refusals: dict[str, str] = {}
    summary = None if as_json else Summary(names)
    for name in names:
        try:
            with redirect_stdout(sys.stderr):
                cards.append(check_norm(name))
        except UserError as error:  # a plug-in that cannot be built does not take the others down
            refusals[name] = str(error)
            if summary:
                summary.add_refusal(name)
        else:
            if summary:
                summary.add(name, cards[-1])
    broken = broken_plugins()
    if summary:
        summary.conclude([*refusals.values(), *describe_broken(broken)])
    else:
        not_checked = [{"name": name, "reason": plain(reason)} for name, reason in refusals.items()]
        not_checked += [{"name": plugin.name, "reason": plain(plugin.reason)} for plugin in broken]
        write_json(
            {
                "schema_version": JSON_SCHEMA_VERSION,
                "passed": not any(card.of(Verdict.FAIL) for card in cards),
                "cards": [to_dict(card) for card in cards],
                "not_checked": not_checked,
            }
        )
    missing = dict.fromkeys([*refusals, *(plugin.name for plugin in broken)])
    return Outcome(any(card.of(Verdict.FAIL) for card in cards), tuple(missing))


def registered_names() -> tuple[str, ...]:
    """Return the name of every norm, those of plug-ins included."""
    with redirect_stdout(sys.stderr):  # plug-ins are imported now
        return NORMS.names()


def show_catalogue(form: Literal["table", "json", "markdown"]) -> None:
    """Print every registered norm; as Markdown with its measured traits, for a page of documentation."""
    with redirect_stdout(sys.stderr):
        entries = read_catalogue(with_traits=form == "markdown")
        configuration_packages()  # those of plug-ins that cannot be searched are listed with the broken norms
    broken = broken_plugins()
    if form == "json":
        write_json(catalogue_to_dict(entries, broken))
    elif form == "markdown":
        write(to_markdown(entries))
    else:
        print_catalogue(entries, describe_broken(broken))


def write_json(content: Mapping[str, Any]) -> None:
    """Write strict JSON to standard output."""
    write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
