"""Charts of the tuned track: what became of the seeds at each learning rate, and what trying several is worth."""

from collections.abc import Mapping, Sequence
from typing import Any

from bnbench.reports.charts.chart import Chart, axis, label, layout, numbers
from bnbench.reports.charts.curves import MOST_DRAWN
from bnbench.reports.charts.style import OUTCOMES, Style
from bnbench.scoring.board import RateOutcome, Tunability

ROW_HEIGHT, GAP = 84, 0.36


def rate_outcomes(tunability: Sequence[Tunability]) -> Chart:
    """Return stacked bars, a row per entry: the shares of the seeds at each rate that reached, stalled, diverged."""
    count = len(tunability)
    data: list[dict[str, Any]] = []
    rates = sorted({outcome.learning_rate for each in tunability for outcome in each.rates})
    ticks = [f"{rate:g}" for rate in rates]
    named = layout(
        axis(
            "learning rate", type="category", categoryorder="array", categoryarray=ticks, anchor=_axis("y", count - 1)
        ),
        {},
        barmode="stack",
        bargap=0.18,
        height=110 + ROW_HEIGHT * count,
        hovermode="closest",
    )
    named["legend"] = {**named["legend"], "y": -56 / (ROW_HEIGHT * count), "traceorder": "normal"}
    for index, each in enumerate(tunability):
        height = 1 / count
        top = 1 - index * height
        named[_axis("yaxis", index)] = axis(
            "", domain=[top - height, top - height * GAP], range=[0, 100], tickvals=[0, 50, 100], ticksuffix=" %"
        )
        data += [_stack(each, outcome, index) for outcome in OUTCOMES]
    named["annotations"] = [_row_name(each, index, count) for index, each in enumerate(tunability)]
    return Chart(
        name="rate_outcomes",
        title="Learning rates that serve",
        caption=(
            "For each entry and learning rate, the share of the scored seeds that reached the target, learned but were "
            "too slow, stalled at chance level, or diverged. The wider the part that reaches, the less tuning it needs."
        ),
        figure={"data": data, "layout": named},
        columns=("entry", "width", *(f"lr {tick}" for tick in ticks)),
        rows=tuple((each.entry, width_text(each), *_outcomes(each, rates)) for each in tunability),
    )


def best_of_rates(tunability: Sequence[Tunability], styles: Mapping[str, Style]) -> Chart | None:
    """Return the expected steps to target of the best of k learning rates, against k."""
    known = [each for each in tunability if any(best.rmst is not None for best in each.best_of)]
    if not known:
        return None
    data = []
    for index, each in enumerate(known):
        style = styles[each.entry]
        data.append(
            {
                "type": "scatter",
                "name": label(each.entry),
                "visible": True if index < MOST_DRAWN else "legendonly",
                "x": [best.num_rates for best in each.best_of],
                "y": numbers(float("nan") if best.rmst is None else best.rmst for best in each.best_of),
                "mode": "lines+markers",
                "line": {"color": style.color, "width": 2, "dash": style.dash},
                "marker": {"color": style.color, "size": 8, "symbol": style.symbol},
                "hovertemplate": "best of %{x}: %{y:,.4g} steps<extra>%{fullData.name}</extra>",
            }
        )
    most = max(len(each.best_of) for each in known)
    return Chart(
        name="best_of_rates",
        title="What tuning is worth",
        caption=(
            "Expected mean steps to target when k learning rates are tried and the best by the tuning seeds is kept, "
            "against k, one line per entry. A line that is low from the start needs no tuning."
        ),
        figure={
            "data": data,
            "layout": layout(
                axis("learning rates tried", dtick=1, range=[0.8, most + 0.2]),
                axis("mean steps to target", rangemode="tozero", tickformat=","),
                hovermode="closest",
            ),
        },
        columns=("entry", *(f"best of {index + 1}" for index in range(most))),
        rows=tuple((each.entry, *_bests(each, most)) for each in known),
    )


def width_text(each: Tunability) -> str:
    """Return the width in octaves, as "≥ 3.2 octaves" where the grid ends before it does."""
    if each.width_octaves is None:
        return "none reaches"
    return f"{'≥ ' if each.open_below or each.open_above else ''}{each.width_octaves:.3g} octaves"


def _axis(name: str, index: int) -> str:
    return name if index == 0 else f"{name}{index + 1}"


def _stack(each: Tunability, outcome: str, index: int) -> dict[str, Any]:
    color, _, pattern = OUTCOMES[outcome]
    counts = [getattr(rate, outcome) for rate in each.rates]
    return {
        "type": "bar",
        "name": outcome,
        "legendgroup": outcome,
        "showlegend": index == 0,
        "yaxis": _axis("y", index),
        "x": [f"{rate.learning_rate:g}" for rate in each.rates],
        "y": numbers(100 * count / max(rate.num_seeds, 1) for count, rate in zip(counts, each.rates, strict=True)),
        "customdata": [f"{count} of {rate.num_seeds}" for count, rate in zip(counts, each.rates, strict=True)],
        "marker": {
            "color": color,
            "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.8)", "size": 7},
        },
        "hovertemplate": f"lr %{{x}}: %{{customdata}} {outcome}<extra>{label(each.entry)}</extra>",
    }


def _row_name(each: Tunability, index: int, count: int) -> dict[str, Any]:
    """The entry's name stands above its row of bars, where a phone has room for it."""
    return {
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "yref": "paper",
        "y": 1 - (index + GAP) / count,
        "yanchor": "bottom",
        "text": label(each.entry),
        "showarrow": False,
        "font": {"size": 12},
    }


def _outcomes(each: Tunability, rates: Sequence[float]) -> list[str]:
    by_rate = {outcome.learning_rate: outcome for outcome in each.rates}
    return [_outcome_text(by_rate[rate]) if rate in by_rate else "–" for rate in rates]


def _outcome_text(outcome: RateOutcome) -> str:
    told = [f"{getattr(outcome, name)} {name}" for name in OUTCOMES if getattr(outcome, name)]
    return ", ".join(told) or "no seed"


def _bests(each: Tunability, most: int) -> list[str]:
    told = ["–" if best.rmst is None else f"{best.rmst:,.4g}" for best in each.best_of]
    return told + ["–"] * (most - len(told))
