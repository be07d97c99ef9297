"""The checks of options that several norms share."""

from collections.abc import Mapping
from math import inf
from typing import Any

import torch

from bnbench.errors import UserError
from bnbench.norms.registration import NORMS

# What float32 holds at full precision: the numbers beyond become 0 or infinite in a layer, whatever its formula says.
_FLOAT32 = torch.finfo(torch.float32)
# counted by buffers of int64, and exactly by the floats of the schedules
MOST_STEPS = 2**53


def require_positive(norm_name: str, option: str, value: float) -> None:
    """Raise UserError unless `value` is a finite number above 0 within the range of float32."""
    if not 0 < value < inf:
        raise UserError(f"norm '{norm_name}': {option}={value}: expected a number above 0 (set norm.{option})")
    if value < _FLOAT32.tiny:
        raise UserError(
            f"norm '{norm_name}': {option}={value}: lost in float32, which holds no number below "
            f"{_FLOAT32.tiny:.2g} in full; expected at least that (set norm.{option})"
        )
    _require_finite(norm_name, option, value)


def require_at_least(norm_name: str, option: str, value: float, *, least: float) -> None:
    """Raise UserError unless `value` is a finite number not below `least` within the range of float32."""
    if not least <= value < inf:
        raise UserError(
            f"norm '{norm_name}': {option}={value}: expected a number of at least {least} (set norm.{option})"
        )
    _require_finite(norm_name, option, value)


def require_steps(norm_name: str, option: str, value: int) -> None:
    """Raise UserError unless `value` is a number of steps that can be counted."""
    require_at_least(norm_name, option, value, least=0)
    if value > MOST_STEPS:
        raise UserError(f"norm '{norm_name}': {option}={value}: expected at most {MOST_STEPS} (set norm.{option})")


def refuse_unused(norm_name: str, given: Mapping[str, Any], *, because: str) -> None:
    """Raise UserError for an option that is not at its default and has no effect: the same run under two names."""
    defaults = NORMS.get(norm_name).defaults()
    for option, value in given.items():
        if value != defaults[option]:
            raise UserError(
                f"norm '{norm_name}': {option}={value} has no effect with {because}; "
                f"leave it at its default (norm.{option}={_written(defaults[option])})"
            )


def require_share(norm_name: str, option: str, value: float) -> None:
    """Raise UserError unless `value` lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise UserError(f"norm '{norm_name}': {option}={value}: expected a number in [0, 1] (set norm.{option})")


def require_divisor(norm_name: str, option: str, parts: int, num_features: int) -> None:
    """Raise UserError unless `parts` divides `num_features`; the message names the nearest numbers that do."""
    if parts >= 1 and num_features % parts == 0:
        return
    divisors = [candidate for candidate in range(1, num_features + 1) if num_features % candidate == 0]
    near = sorted(sorted(divisors, key=lambda candidate: abs(candidate - parts))[:3])
    raise UserError(
        f"norm '{norm_name}': {option}={parts} does not divide {num_features} features; "
        f"nearest that do: {', '.join(map(str, near))} (set norm.{option})"
    )


def _require_finite(norm_name: str, option: str, value: float) -> None:
    if value > _FLOAT32.max:
        raise UserError(
            f"norm '{norm_name}': {option}={value}: infinite in float32; "
            f"expected at most {_FLOAT32.max:.1g} (set norm.{option})"
        )


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
