"""The plain answer of a sweep over a table: which norm to use, at which learning rate, and what is not decided."""

from pathlib import PurePath
from typing import IO, Literal

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bnbench.metric_facts import facts_of
from bnbench.reports.cells import plain
from bnbench.scoring.answer import Answer
from bnbench.scoring.contender import Contender
from bnbench.scoring.final_difference import MARGIN_SHARE
from bnbench.scoring.seeds_needed import MOST_SEEDS
from bnbench.scoring.verdict import Wording, advice, claim, evidence, p_text

NOTHING = "–"
WIDE_ENOUGH = 120


def print_answer(answer: Answer, *, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print the answer, what is known of the other norms, one table, and what has to be read with them."""
    console = Console(file=file, width=width, highlight=False, emoji=False)
    for part in _parts(answer, width=console.width):
        console.print(part)


def _parts(answer: Answer, *, width: int) -> list[RenderableType]:
    return [
        Text(headline(answer), style="bold"),
        *(Text(line) for line in other_sentences(answer)),
        Text(),
        _rich_table(answer, stacked=width < WIDE_ENOUGH),
        Text(),
        *(Padding(Text(line, style="dim"), (0, 0, 0, 2)) for line in notes(answer)),
    ]


def _rich_table(answer: Answer, *, stacked: bool) -> Table:
    """Intervals stand under their numbers where the terminal is narrow."""
    header = {column: column for column in COLUMNS} | {
        column: f"{column} {answer.metric}" for column in ("final", "test")
    }
    # a terminal of 80 columns has no room for a column of noughts, and what diverged is in the notes as well
    columns = [column for column in COLUMNS if column != "diverged" or any(each.diverged for each in answer.contenders)]
    made = Table(box=None, padding=(0, 1 if stacked else 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in ("lr", "diverged") else "left"
        made.add_column(Text(header[column]), justify=justify, overflow="fold")
    for row in table(answer):
        made.add_row(*(Text(row[column].replace(" [", "\n[") if stacked else row[column]) for column in columns))
    return made


def data_name(answer: Answer) -> str:
    """Return the name of the user's file, or of the data set."""
    return plain(PurePath(answer.path).name if answer.path else answer.dataset)


def norm_name(entry: str) -> str:
    """Return an entry as people say it.

    >>> norm_name("layer"), norm_name("group(num_groups=8)"), norm_name("none")
    ('layer norm', 'group norm (num_groups=8)', 'none')
    """
    name, bracket, options = plain(entry).partition("(")
    if name == "none":
        return "none"
    return f"{name} norm" + (f" ({options}" if bracket else "")


def amount(value: float, metric: str) -> str:
    """Return a value of the metric for people, in the units of the labels where it has some.

    >>> amount(26788.4, "rmse"), amount(0.52318, "rmse"), amount(0.9338, "accuracy")
    ('26,788', '0.5232', '93.38 %')
    """
    if facts_of(metric).in_per_cent:
        return f"{100 * value:.2f} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def headline(answer: Answer) -> str:
    """Return the sentence that answers the question."""
    where, winner, reference = data_name(answer), answer.winner, answer.reference_contender
    if winner is None or reference is None:
        return f"On {where} there is no answer: '{answer.reference}', which all norms are compared with, has no runs."
    use = f"On {where} use {norm_name(winner.entry)} at lr {winner.choice.rate:g}"
    if answer.why == "nothing better":
        said = f"{use}: no norm is shown to be better. {_reference_sentence(answer, reference)}"
    elif answer.why == "better":
        steps = f"; {_steps_sentence(answer, winner)}" if winner.comparison is not None else ""
        said = f"{use}: {final_sentence(answer, winner)} than {_of_reference(reference)}{steps}"
    else:
        said = f"{use}: {_steps_sentence(answer, winner)}, {final_sentence(answer, winner)}"
    undecided = [norm_name(each.entry) for each in answer.contenders if _is_open(each) and each is not winner]
    return said + (f"; {_joined(undecided)} not decided." if undecided else ".")


def other_sentences(answer: Answer) -> list[str]:
    """Return one sentence per entry that is not the answer."""
    return [
        f"{norm_name(each.entry)} at lr {each.choice.rate:g}: {_verdict(answer, each)}."
        for each in answer.contenders
        if each is not answer.winner and each.entry != answer.reference
    ]


def final_sentence(answer: Answer, contender: Contender) -> str:
    """Return what is known of the metric at the end, e.g. "final rmse no different (26,788 against 26,510 …)"."""
    found, reference, metric = contender.final_difference, answer.reference_contender, answer.metric
    if found is None or reference is None or contender.final.estimate is None or reference.final.estimate is None:
        return f"final {metric} not known"
    values = f"{amount(contender.final.estimate, metric)} against {amount(reference.final.estimate, metric)}"
    if found.verdict == "no different":
        return f"final {metric} no different ({values}, the difference within ±{amount(found.margin, metric)})"
    if found.verdict == "not decided":
        more = (
            f"the difference is too small for {MOST_SEEDS:,} more seeds"
            if found.more_seeds is None
            else f"about {found.more_seeds:,} more seeds would"
        )
        return f"final {metric} not decided ({values}; {more})"
    return f"final {metric} {found.verdict} ({values}, {p_text(found.p_holm)})"


def notes(answer: Answer) -> list[str]:
    """Return what has to be read with the answer."""
    metric = answer.metric
    said = []
    if answer.target is None:
        said.append(
            f"No target could be set, so no steps are counted: '{answer.reference}' learns no more here than the "
            "trivial predictor."
        )
    elif all(each.times is None or each.times.times.all_missed for each in answer.contenders):
        said.append(f"Nothing reached {metric} {amount(answer.target, metric)} in {answer.max_steps:,} steps.")
    for each in answer.contenders:
        if each.choice.edge is not None and (each is answer.winner or each.entry == answer.reference):
            way = "smaller" if each.choice.edge == "smallest" else "larger"
            said.append(
                f"{norm_name(each.entry)}: lr {each.choice.rate:g} is the {each.choice.edge} that was tried; a {way} "
                f"one may be better: 'optimizer.lr={_extended(answer, each.choice.edge)}'."
            )
        if each.diverged:
            said.append(f"{norm_name(each.entry)}: {each.diverged} of {each.num_seeds} seeds diverged.")
    tuning = max((each.choice.num_seeds for each in answer.contenders), default=0)
    if tuning:
        rates = ", ".join(f"{rate:g}" for rate in answer.rates)
        said.append(f"Learning rates were chosen per norm among {rates} on {tuning} seeds that are not scored.")
    if answer.target is not None:
        said.append(f"Target {metric} {amount(answer.target, metric)}: {plain(answer.provenance)}.")
    if answer.other_ladders:
        said.append(f"{answer.other_ladders} records were made under other targets; the newest holds for all.")
    said.append(
        f"Final {metric}: the validation part after the last step; test {metric}: the test part at the step that is "
        "best on the validation part. No different: the 95 % interval of the paired difference of finals lies within "
        f"{MARGIN_SHARE:.0%} of the way from the trivial predictor to '{answer.reference}'. Steps and final {metric} "
        "are two families of tests, each Holm-corrected."
    )
    return said


COLUMNS = ("norm", "lr", "steps to target", "reached", "final", "test", "diverged")


def table(answer: Answer) -> list[dict[str, str]]:
    """Return one row of texts per norm, fastest first."""
    return [
        {
            "norm": plain(each.entry),
            "lr": f"{each.choice.rate:g}",
            "steps to target": _steps_text(each),
            "reached": NOTHING if each.times is None else f"{int(each.times.times.reached.sum())} of {each.num_seeds}",
            "final": _interval_text(each.final.estimate, each.final.low, each.final.high, answer.metric),
            "test": _interval_text(each.test.estimate, each.test.low, each.test.high, answer.metric),
            "diverged": str(each.diverged),
        }
        for each in answer.contenders
    ]


def _verdict(answer: Answer, contender: Contender) -> str:
    final = final_sentence(answer, contender)
    if contender.comparison is None:
        return final
    if contender.faster or contender.slower:
        return f"{_steps_sentence(answer, contender)}; {final}"
    if contender.comparison.pairs.first.all_missed and contender.comparison.pairs.second.all_missed:
        return f"never reaches the target, as '{answer.reference}'; {final}"
    if contender.comparison.differing == 0:
        return f"not decided: the same steps as {answer.reference}; {final}"
    return f"not decided: {advice(contender.comparison)}; {final}"


def _steps_sentence(answer: Answer, contender: Contender) -> str:
    reference = answer.reference_contender
    if contender.comparison is None or answer.target is None or reference is None:
        return "steps not known"
    if not (contender.faster or contender.slower):
        return f"steps not decided ({advice(contender.comparison)})"
    wording = Wording(answer.metric, answer.target, False, answer.max_steps, _of_reference(reference))
    return f"{claim(contender.comparison, wording)} ({evidence(contender.comparison)})"


def _reference_sentence(answer: Answer, reference: Contender) -> str:
    if answer.target is None or reference.times is None:
        return f"'{reference.entry}' ends at {answer.metric} {_value(reference.final.estimate, answer.metric)}"
    hits = int(reference.times.times.reached.sum())
    goal = f"{answer.metric} {amount(answer.target, answer.metric)}"
    return f"'{reference.entry}' reaches {goal} with {hits} of {reference.num_seeds} seeds"


def _of_reference(reference: Contender) -> str:
    return f"{reference.entry} at lr {reference.choice.rate:g}"


def _is_open(contender: Contender) -> bool:
    if contender.comparison is None:
        return contender.final_difference is not None and contender.final_verdict == "not decided"
    return not (contender.faster or contender.slower)


def _extended(answer: Answer, edge: str) -> str:
    rates = [*answer.rates]
    # grids such as 1, 3, 10 step by turns
    below, above = (rates[2] / rates[1], rates[-2] / rates[-3]) if len(rates) > 2 else (rates[1] / rates[0],) * 2
    rates = [rates[0] / below, *rates] if edge == "smallest" else [*rates, rates[-1] * above]
    return f"[{','.join(f'{rate:.2g}' for rate in rates)}]"


def _steps_text(contender: Contender) -> str:
    if contender.steps is None or contender.steps.estimate is None:
        return NOTHING
    low, high = contender.steps.low, contender.steps.high
    interval = "" if low is None or high is None else f" [{low:,.0f}–{high:,.0f}]"
    return f"{contender.steps.estimate:,.0f}{interval}"


def _interval_text(estimate: float | None, low: float | None, high: float | None, metric: str) -> str:
    if estimate is None:
        return NOTHING
    interval = "" if low is None or high is None else f" [{amount(low, metric)}–{amount(high, metric)}]"
    return f"{amount(estimate, metric)}{interval}"


def _value(value: float | None, metric: str) -> str:
    return NOTHING if value is None else amount(value, metric)


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
