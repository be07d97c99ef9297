"""Which diagnostics a configuration asks for."""

from bnbench.config import Config
from bnbench.errors import UserError
from bnbench.training.diagnostics.diagnostic import DIAGNOSTICS

ALL = "all"


def asked_diagnostics(config: Config) -> tuple[str, ...]:
    """Return the names a configuration asks for, sorted; `all` means every one that is registered.

    Raises UserError for a name that is unknown, or for what is no list of names.
    """
    asked = config.diagnostics
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, list | tuple) or any(not isinstance(name, str) for name in names):
        raise UserError(
            f"diagnostics={asked!r}: expected a list of names, e.g. diagnostics=[activations,gradients], or "
            f"diagnostics={ALL}"
        )
    if ALL in names:
        return DIAGNOSTICS.names()
    return tuple(sorted({DIAGNOSTICS.get(name).name for name in names}))
