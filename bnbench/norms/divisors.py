"""The one check of norms that cut the features into equal parts."""

from bnbench.errors import UserError


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
