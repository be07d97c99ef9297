"""The checks by name, in the order they are met."""

from collections.abc import Callable

from bnbench.conformance.finding import Outcome
from bnbench.conformance.subject import Subject
from bnbench.registry import Registry

Check = Callable[[Subject], Outcome]

CHECKS: Registry[Check] = Registry("check")


def check(name: str) -> Callable[[Check], Check]:
    """Return the decorator that adds a check; its docstring says in one sentence what it looks at."""
    return CHECKS.register(name)
