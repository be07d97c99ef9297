"""The checks of options that several norms share."""

from math import isfinite

from bnbench.errors import UserError


def require_positive(norm_name: str, option: str, value: float) -> None:
    """Raise UserError unless `value` is a finite number above 0."""
    if not (isfinite(value) and value > 0):
        raise UserError(f"norm '{norm_name}': {option}={value}: expected a number above 0 (set norm.{option})")


def require_at_least(norm_name: str, option: str, value: float, *, least: float) -> None:
    """Raise UserError unless `value` is a finite number not below `least`."""
    if not (isfinite(value) and value >= least):
        raise UserError(
            f"norm '{norm_name}': {option}={value}: expected a number of at least {least} (set norm.{option})"
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
