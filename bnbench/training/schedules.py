"""Learning-rate schedules: a factor of the base learning rate for every step."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from bnbench.errors import UserError, nearest

SCHEDULES = ("constant", "cosine", "step", "exponential")


def schedule_factor(options: Mapping[str, Any], *, max_steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate as a function of the number of steps already made.

    constant 1; cosine (1 + cos(π t/T))/2 after SGDR without restarts (arXiv:1608.03983); step γ^⌊t/every⌋;
    exponential γ^(t/T), so that γ is the factor at the end. Raises UserError for an unknown name.
    """
    name = options["name"]
    if name == "constant":
        return lambda step: 1.0
    if name == "cosine":
        return lambda step: 0.5 * (1.0 + math.cos(math.pi * min(step, max_steps) / max_steps))
    if name == "step":
        return lambda step: float(options["gamma"] ** (step // options["every_steps"]))
    if name == "exponential":
        return lambda step: float(options["gamma"] ** (step / max_steps))
    raise UserError(f"schedule '{name}' is unknown; {nearest(name, SCHEDULES)}")
