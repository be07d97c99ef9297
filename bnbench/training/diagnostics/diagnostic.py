"""What a diagnostic is, and the decorator that registers it. How to write one is docs/diagnostics.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from bnbench.registry import Registry
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import Network

WHOLE_NETWORK = ""
# weights and gradients, at two points and in passing
USUAL_COPIES = 8


class Measurement(NamedTuple):
    """One number per replica: what it is, of which layer ("" for the whole network)."""

    name: str
    layer: str
    values: Float[Tensor, " replicas"]


# A function of the moment alone. What it has to remember until the next evaluation it leaves in `moment.memory`.
Measure = Callable[[Moment], list[Measurement]]
# Why a diagnostic has nothing to say of a network; None where it has.
WhyNot = Callable[[Network], str | None]


@dataclass(frozen=True)
class Diagnostic:
    """A registered diagnostic; `copies` of all weights is what it holds at a time, beside what training does."""

    name: str
    measure: Measure
    why_not: WhyNot
    copies: int = USUAL_COPIES


DIAGNOSTICS: Registry[Diagnostic] = Registry("diagnostic", definition=lambda found: found.measure.__module__)


def applies_to_all(_network: Network) -> None:
    """Return None: there is no network of which the diagnostic has nothing to say."""


def diagnostic(
    name: str, *, why_not: WhyNot = applies_to_all, copies: int = USUAL_COPIES
) -> Callable[[Measure], Measure]:
    """Return the decorator that registers a function as the diagnostic `name`.

    `why_not` says why a network is left out, in words that finish "left out: …"; `copies` of all weights, at most, are
    held at a time: so many replicas fit into memory.
    """

    def decorate(measure: Measure) -> Measure:
        DIAGNOSTICS.add(name, Diagnostic(name, measure, why_not, copies))
        return measure

    return decorate
