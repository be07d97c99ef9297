"""The sentence of a row. It follows the corrected test, never the interval, and says what the seeds cannot tell."""

from dataclasses import dataclass

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.scoring.comparison import Comparison
from bnbench.scoring.seeds_needed import MOST_SEEDS
from bnbench.scoring.sign_flip import pairs_needed


@dataclass(frozen=True)
class Wording:
    """What every sentence of a workload names."""

    metric: str
    target: float
    given_by_hand: bool
    max_steps: int
    reference: str

    @property
    def goal(self) -> str:
        """Return the target as people say it.

        >>> Wording("accuracy", 0.95, False, 100, "none").goal
        '95 %'
        """
        told = facts_of(self.metric).told(self.target)
        # "95 %" alone can only be an accuracy
        told = told if self.metric == "accuracy" else f"{self.metric} {told}"
        return f"{told} (target given by hand)" if self.given_by_hand else told


def verdict(entry: str, comparison: Comparison | None, wording: Wording, *, diverged: int, n_seeds: int) -> str:
    """Return the sentence on an entry compared with the reference; `comparison` is None where they share no seed."""
    if comparison is None:
        sentence = f"not compared: no seed in common with {wording.reference}"
    elif comparison.pairs.first.all_missed and comparison.pairs.second.all_missed:
        sentence = (
            f"neither {entry} nor {wording.reference} reaches {wording.goal} in {wording.max_steps:,} steps "
            f"({paired_seeds(comparison)})"
        )
    elif comparison.differing == 0:
        sentence = f"not decided: the same steps to {wording.goal} as {wording.reference} in {paired_seeds(comparison)}"
    elif comparison.decided:
        sentence = f"{entry} {claim(comparison, wording)} ({evidence(comparison)}): real{_narrowly(comparison)}"
    else:
        sentence = (
            f"not decided: {advice(comparison)}; seen: {entry} {claim(comparison, wording)} ({evidence(comparison)})"
        )
    if comparison is not None and comparison.pairs.left_out:
        sentence += f"; {_plural(comparison.pairs.left_out, 'seed')} without a partner left out"
    if diverged:
        sentence += f"; {diverged} of {_plural(n_seeds, 'seed')} diverged"
    return f"{sentence}."


def _narrowly(comparison: Comparison) -> str:
    """The test takes differences for symmetric where there is nothing to find; the interval allows for skewed ones."""
    low, high = comparison.speedup.low, comparison.speedup.high
    return ", but narrowly: the interval holds 1" if low is not None and high is not None and low <= 1 <= high else ""


def claim(comparison: Comparison, wording: Wording) -> str:
    """Return what is seen, as "reaches 95 % in at least 3.1× fewer steps than none"."""
    pairs, speedup, reference = comparison.pairs, comparison.speedup, wording.reference
    if speedup.estimate is None:
        return _claim_of_no_steps(comparison, wording)
    faster = speedup.estimate >= 1
    factor = speedup.estimate if faster else 1 / speedup.estimate
    bounds = {"at_least": "at least ", "at_most": "at most "}
    if not faster:
        bounds = {"at_least": "at most ", "at_most": "at least "}
    told = f"{factor:{_form(comparison)}}"
    times = "as many" if told == "1" else f"{told}× {'fewer' if faster else 'more'}"
    amount = f"{bounds.get(speedup.bound, '')}{times} steps {'as' if times == 'as many' else 'than'} {reference}"
    if speedup.bound == "undefined":
        amount += f", counted up to step {wording.max_steps:,} since both have misses"
    if pairs.second.all_missed:
        return f"never reaches {wording.goal} in {wording.max_steps:,} steps, {amount}"
    if pairs.second.any_missed:
        hits = int(np.sum(pairs.second.reached))
        return f"reaches {wording.goal} with {hits} of {_plural(len(pairs.second), 'seed')}, in {amount}"
    return f"reaches {wording.goal} in {amount}"


def _form(comparison: Comparison) -> str:
    """Three digits; more where a difference that was found to be there would read as none."""
    ratio = comparison.speedup.estimate
    if ratio is None or not comparison.decided:
        return ".3g"
    told = (digits for digits in (3, 6, 9, 12) if f"{max(ratio, 1 / ratio):.{digits}g}" != "1")
    return f".{next(told, 3)}g"


def _claim_of_no_steps(comparison: Comparison, wording: Wording) -> str:
    """One of the two meets the target before its first step, so that no ratio can be formed."""
    entry = comparison.pairs.second
    if not entry.steps.any():
        return f"reaches {wording.goal} before its first step with every seed, which {wording.reference} does not"
    reached = "never reaches" if entry.all_missed else "reaches"
    return f"{reached} {wording.goal}, which {wording.reference} does before its first step with every seed"


def evidence(comparison: Comparison) -> str:
    """Return the interval, the pairs and the corrected p, as "2.6–3.8, 16 paired seeds, p_Holm = 0.0004"."""
    told = [paired_seeds(comparison), p_text(comparison.p_holm)]
    low, high = comparison.speedup.low, comparison.speedup.high
    if low is not None and high is not None and comparison.speedup.estimate is not None:
        if comparison.speedup.estimate < 1:
            low, high = 1 / high, 1 / low
        form = _form(comparison)
        told.insert(0, f"{low:{form}}–{high:{form}}")
    return ", ".join(told)


def advice(comparison: Comparison) -> str:
    """Return what it would take to decide."""
    among = f" among {comparison.open_comparisons} comparisons" if comparison.open_comparisons > 1 else ""
    if not comparison.can_decide:
        enough = pairs_needed(comparison.alpha, comparisons=comparison.open_comparisons)
        count, differing = len(comparison.pairs.first), comparison.differing
        if differing < count:
            few = f"only {differing} of {_plural(count, 'paired seed')} differ{'s' if differing == 1 else ''}"
            return f"{few}, at least {enough} must to decide{among}{_more(comparison)}"
        return f"{paired_seeds(comparison)} can never decide{among}, at least {enough} can{_more(comparison)}"
    if comparison.more_seeds is None:
        return f"the difference is too small for {MOST_SEEDS:,} more seeds"
    return f"about {_plural(comparison.more_seeds, 'more seed')}"


def _more(comparison: Comparison) -> str:
    if comparison.more_seeds is None:
        return ""
    return f" (about {_plural(comparison.more_seeds, 'more seed')})"


def paired_seeds(comparison: Comparison) -> str:
    """Return "16 paired seeds"."""
    return _plural(len(comparison.pairs.first), "paired seed")


def p_text(p_holm: float) -> str:
    """Return a corrected p, shortened.

    >>> p_text(0.00041), p_text(3e-9)
    ('p_Holm = 0.00041', 'p_Holm < 0.0001')
    """
    return "p_Holm < 0.0001" if p_holm < 0.0001 else f"p_Holm = {p_holm:.2g}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
