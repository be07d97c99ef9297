"""How a norm behaves: measured, not believed."""

from dataclasses import dataclass

from bnbench.conformance.subject import Subject


@dataclass(frozen=True)
class Traits:
    """What was measured of a norm; costs are relative to the identity on the same inputs."""

    rows_coupled_in_training: bool


def measure_traits(subject: Subject) -> Traits:
    """Return the traits of a norm."""
    raise NotImplementedError
