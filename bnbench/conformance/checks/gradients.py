"""Gradients: there where the output depends on something, and equal to what finite differences say."""

from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import NOT_REPEATED, repeats
from bnbench.conformance.registration import check
from bnbench.conformance.slopes import Slope, Slopes, measure_slopes
from bnbench.conformance.subject import Subject
from bnbench.conformance.words import mode_name

# a gradient smaller than this part of the true slope is none: right ones are the slope itself
MISSING = 1e-6


@check("gradient_to_input")
def gradient_to_input(subject: Subject) -> Outcome:
    """Wherever the output depends on the input, in any row or feature, a gradient comes back."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    measured = measure_slopes(subject)
    slopes = [slope for slope in measured.slopes if slope.of == "input" and measured.matter(slope)]
    if not slopes:
        return not_applicable("the output does not depend on the input")
    missing = [slope for slope in slopes if _is_missing(slope)]
    if missing:
        worst = max(missing, key=lambda slope: abs(slope.difference))
        return failed(
            f"no gradient along {len(missing)} of {len(slopes)} directions; the output moves by "
            f"{abs(worst.difference):.1e} per step in {mode_name(worst.training)}",
            "the layers below learn nothing through it",
        )
    return passed(f"a gradient along all {len(slopes)} directions", "the layers below learn through it")


@check("gradients_to_parameters")
def gradients_to_parameters(subject: Subject) -> Outcome:
    """Every parameter that the output depends on gets a gradient, and the output depends on every one."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    measured = measure_slopes(subject)
    of_parameters = [slope for slope in measured.slopes if slope.of != "input"]
    names = list(dict.fromkeys(slope.of for slope in of_parameters))
    if not names:
        return not_applicable("no parameters to learn")
    missing = [slope for slope in of_parameters if measured.matter(slope) and _is_missing(slope)]
    if missing:
        worst = max(missing, key=lambda slope: abs(slope.difference))
        return failed(
            f"{worst.of}: no gradient; the output moves by {abs(worst.difference):.1e} per step in "
            f"{mode_name(worst.training)}",
            "the parameter has an influence and never learns",
        )
    unused = [name for name in names if not any(_has_influence(measured, slope, name) for slope in of_parameters)]
    if unused:
        return noted(f"{', '.join(unused)}: no influence", "a parameter that is counted, stored and never matters")
    return passed(f"a gradient to {', '.join(names)}", "all that can be learned is learned")


@check("gradients_exact")
def gradients_exact(subject: Subject) -> Outcome:
    """The gradients of autograd are those of finite differences."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    measured = measure_slopes(subject)
    largest, where = 0.0, measured.slopes[0]
    for slope in measured.slopes:
        # a direction along which little happens is compared with those along which much does
        alike = [other for other in measured.slopes if _alike(other, slope)]
        scale = max(abs(value) for other in alike for value in (other.difference, other.autograd or 0.0))
        off = 0.0 if slope.autograd is None else abs(slope.autograd - slope.difference)
        off /= max(scale, measured.noise / measured.exact_within)  # what rounding feigns is allowed
        if off > largest:
            largest, where = off, slope
    if largest > measured.exact_within:
        return noted(
            f"off by {largest:.1e} of the slope: {where.of} in {mode_name(where.training)}",
            "a gradient is stopped or replaced; on purpose, as batch renormalization does, or by mistake?",
        )
    return passed(f"off by at most {largest:.1e} of the slope", "training follows the true gradient")


def _is_missing(slope: Slope) -> bool:
    return slope.autograd is None or abs(slope.autograd) <= MISSING * abs(slope.difference)


def _has_influence(measured: Slopes, slope: Slope, name: str) -> bool:
    return slope.of == name and (measured.matter(slope) or abs(slope.autograd or 0.0) > measured.noise)


def _alike(one: Slope, other: Slope) -> bool:
    return one.of == other.of and one.training == other.training
