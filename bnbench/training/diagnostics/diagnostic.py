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
    """A registered diagnostic."""

    name: str
    measure: Measure
    why_not: WhyNot


DIAGNOSTICS: Registry[Diagnostic] = Registry("diagnostic", definition=lambda found: found.measure.__module__)


def applies_to_all(_network: Network) -> None:
    """Return None: there is no network of which the diagnostic has nothing to say."""


def diagnostic(name: str, *, why_not: WhyNot = applies_to_all) -> Callable[[Measure], Measure]:
    """Return the decorator that registers a function as the diagnostic `name`.

    `why_not` says why a network is left out, in words that finish "left out: …".
    """

    def decorate(measure: Measure) -> Measure:
        DIAGNOSTICS.add(name, Diagnostic(name, measure, why_not))
        return measure

    return decorate
