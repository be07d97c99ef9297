"""Is (batch, features) read as that? A batch with as many rows as features is where the two can be confused."""

import warnings
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, passed
from bnbench.conformance.passes import outputs_of
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.conformance.traits import traits_if_it_runs
from bnbench.conformance.words import mode_name

# training or not, and a number of rows
Place = tuple[bool, int]
MODES = (True, False)
# The part of all change that a moved parameter works in one row (or column). Per feature it is 0 outside its column;
# a parameter that mixes features spreads over the 24 of them.
NEARLY_ALL = 0.99
# An input that matters moves an output by more than 1e-3 of the outputs' size, one that does not by nothing at all but
# rounding, 1e-7.
MATTERS = 1e-5
# The same rows in batches of other sizes: the kernels of torch round as the size has it, by up to 1e-6; a row that is
# treated otherwise differs by 0.1 and more.
SAME_ROWS = 1e-4


@dataclass(frozen=True)
class _Complaint:
    """What came of a batch beside an output: an error that was raised, or a warning."""

    raised: bool
    text: str


@check("layout")
def layout(subject: Subject) -> Outcome:
    """(batch, features) is read as such: a batch with as many rows as features is treated like any other."""
    complaints = {
        (training, rows): _complaint(subject, rows, training)
        for training, rows in product(MODES, (*_square(subject), *_fewer(subject), *_more(subject)))
        if rows >= subject.smallest_batch or not training
    }
    outcome = _one_sided(subject, complaints)
    if outcome is not None:
        return outcome
    computed = [place for place, complaint in complaints.items() if complaint is None or not complaint.raised]
    if not computed:
        return not_applicable("it returns no (batch, features), whatever the number of rows")
    outcome = (
        _parameters_on_rows(subject, computed)
        or _misread(subject, computed)
        or _dependence(subject, computed)
        or _same_rows(subject, computed)
    )
    if outcome is not None:
        return outcome
    squares, others = (" and ".join(map(str, sizes)) for sizes in (_square(subject), _more(subject)))
    return passed(
        f"batches of {squares} rows like those of {others}",
        "rows and features are told apart, also where there are as many of one as of the other",
    )


def _square(subject: Subject) -> list[int]:
    """Return the numbers of rows at which rows can be taken for features, of the outputs or of the inputs."""
    return sorted({subject.num_features, subject.num_inputs})


def _more(subject: Subject) -> list[int]:
    # two, so that a norm which refuses one number of rows for its own reasons is not taken for confused
    largest = max(_square(subject))
    return [largest + 2, largest + 3]


def _fewer(subject: Subject) -> list[int]:
    # on this side too: fewer rows than features are a covariance without inverse, which has nothing to do with N = C
    smallest = min(_square(subject))
    return [rows for rows in (smallest - 3, smallest - 2) if rows > 1]


def _complaint(subject: Subject, rows: int, training: bool) -> _Complaint | None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _outputs(subject.build(), subject.inputs(rows), training)
        except (Exception, SystemExit) as error:  # raised by the norm: a stranger's code may do anything
            return _Complaint(True, said(error))
    return _Complaint(False, _first_sentence(str(caught[0].message))) if caught else None


def _one_sided(subject: Subject, complaints: dict[Place, _Complaint | None]) -> Outcome | None:
    """Warnings or errors that come with every N ≠ C and not with N = C, or the other way round."""
    for training in MODES:
        square, fewer, more = (
            [complaints[training, rows] for rows in sizes if (training, rows) in complaints]
            for sizes in (_square(subject), _fewer(subject), _more(subject))
        )
        other = [*more, *fewer]
        sides = [(other, square, "N ≠ C and not N = C")]
        if fewer:  # else what is said of N = C may be said of small batches
            sides.append((square, other, "N = C and not N ≠ C"))
        for here, there, where in sides:
            first = here[0] if here else None
            if first is None or None in here or not there or any(there):
                continue
            return failed(
                f"{'raises' if first.raised else 'warns'} with {where}: “{first.text}”",
                "(batch, features) is read as something else: rows are taken for channels or features, which a batch "
                "with as many rows as features hides",
            )
    return None


def _parameters_on_rows(subject: Subject, computed: list[Place]) -> Outcome | None:
    """A parameter with one value per feature whose value k acts on row k."""
    names = [name for name, value in subject.build().named_parameters() if value.numel() == subject.num_features]
    for (training, rows), name in product(computed, names):
        in_row, in_column = _where_it_acts(subject, name, rows, training)
        if in_row > NEARLY_ALL > in_column:
            return failed(
                f"with {rows} rows and {subject.num_features} features, {in_row:.0%} of what {name}[k] changes lies in "
                "row k",
                f"{name} has a value for every feature and acts on rows: features are confused with rows",
            )
    return None


def _where_it_acts(subject: Subject, name: str, rows: int, training: bool) -> tuple[float, float]:
    """Return which part of the change that element k of a parameter makes lies in row k, and which in column k."""
    position = min(rows, subject.num_features) // 3
    before, after = subject.build(), subject.build()
    with torch.no_grad():
        after.get_parameter(name).view(-1)[position] += 1
    inputs = subject.inputs(rows)
    change = (_outputs(after, inputs, training) - _outputs(before, inputs, training)).abs().nan_to_num()
    total = change.sum().clamp_min(torch.finfo(change.dtype).tiny)
    return (change[position].sum() / total).item(), (change[:, position].sum() / total).item()


def _dependence(subject: Subject, computed: list[Place]) -> Outcome | None:
    """On what else than itself a value depends, on its row or on its feature, is another thing with N = C."""
    for training in MODES:
        square, other = (
            {rows: _depends(subject, rows, training) for rows in sizes if (training, rows) in computed}
            for sizes in (_square(subject), _more(subject))
        )
        for rows, depends in square.items():
            if other and depends not in other.values():
                other_rows, otherwise = next(iter(other.items()))
                return failed(
                    f"in {mode_name(training)}, a value depends on {depends} with {rows} rows and on {otherwise} with "
                    f"{other_rows}",
                    "rows and features are confused where there are as many of one as of the other",
                )
    return None


def _misread(subject: Subject, computed: list[Place]) -> Outcome | None:
    """A value that moves other rows and not its own, or of other rows other features and not its own.

    Whatever the statistics, the value is one of those of its row and its feature. Where a layer draws, its own row may
    be the one that is dropped.
    """
    traits = traits_if_it_runs(subject)
    if subject.kind == "weight" or traits is None or traits.random:
        return None
    for training, rows in computed:
        for row, column in ((0, 0), (1, subject.num_features - 1), (rows - 2, min(2, subject.num_features - 1))):
            moved = _moved(subject, rows, training, row, column)
            its_row = moved[row].clone()
            moved[row] = False
            own = "row" if moved.any() and not its_row.any() else "feature"
            if moved.any() and (own == "row" or not moved[:, column].any()):
                other_row, other_column = moved.nonzero()[0].tolist()
                return failed(
                    f"in {mode_name(training)}, with {rows} rows, the value at row {row} and feature {column} moves "
                    f"one at row {other_row} and feature {other_column} and none of its own {own} there",
                    "rows and features are taken for one another, whatever the size of the batch",
                )
    return None


def _moved(subject: Subject, rows: int, training: bool, row: int, column: int) -> Tensor:
    """Return which outputs change when one input value does, upwards or downwards."""
    inputs = subject.inputs(rows)
    before = _outputs(subject.build(), inputs, training)
    moved = torch.zeros_like(before, dtype=torch.bool)
    for step in (10, -10):
        changed = inputs.clone()
        changed[row, column] += step
        change = (_outputs(subject.build(), changed, training) - before).abs()
        moved |= change > MATTERS * before.norm() / before.numel() ** 0.5
    return moved


def _depends(subject: Subject, rows: int, training: bool) -> str:
    """Return in words where else the outputs change when one input value changes."""
    moved = _moved(subject, rows, training, 0, 0)
    if subject.kind == "weight":  # an input feature has no column of its own among the outputs
        places = {"other rows": moved[1:]}
    else:
        places = {"its row": moved[0, 1:], "its feature": moved[1:, 0], "other rows' features": moved[1:, 1:]}
    return " and ".join(place for place, values in places.items() if values.any()) or "nothing else"


def _same_rows(subject: Subject, computed: list[Place]) -> Outcome | None:
    """The same rows in a batch of as many as features, and in a larger one: equal where rows are independent."""
    traits = traits_if_it_runs(subject)
    if traits is None or traits.random:
        return None
    smaller, larger = _more(subject)
    inputs = subject.inputs(larger)
    for training, rows in product(MODES, _square(subject)):
        coupled = traits.rows_coupled_in_training if training else traits.rows_coupled_in_evaluation
        if coupled or not {(training, rows), (training, smaller), (training, larger)} <= set(computed):
            continue
        alone, with_two, with_three = (
            _outputs(subject.build(), inputs[:count], training)[:rows] for count in (rows, smaller, larger)
        )
        if relative_change(with_three, with_two) > SAME_ROWS:
            continue  # the number of rows matters whatever it is: said by the traits, and no matter of N = C
        change = relative_change(with_three, alone)
        if change > SAME_ROWS:
            return failed(
                f"in {mode_name(training)}, {rows} rows come out otherwise alone (N = C) than in a batch of {larger}: "
                f"relative change {change:.1e}",
                "a batch with as many rows as features is treated in another way than all others",
            )
    return None


def _outputs(layer: nn.Module, inputs: Tensor, training: bool) -> Tensor:
    with torch.no_grad():
        outputs = outputs_of(layer.train(training), inputs)
    if outputs.shape[:1] != inputs.shape[:1] or outputs.dim() != 2:
        raise ValueError(f"returned {tuple(outputs.shape)} for inputs of {tuple(inputs.shape)}")
    return outputs


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0]
