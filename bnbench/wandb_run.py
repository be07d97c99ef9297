"""Starting a run of Weights & Biases: offline unless the user is logged in, and never waiting twice for a network."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

from bnbench.errors import UserError, nearest
from bnbench.secret_values import masked_override

LOGIN_SECONDS = 30
LONGEST_TAG = 64  # longer ones are refused
Mode = Literal["online", "offline", "disabled", "shared"]
MODES = (*get_args(Mode), "dryrun", "run")  # the last two are older names, which wandb still takes


def start_wandb_run(
    *,
    project: str,
    entity: str | None,
    folder: Path,
    name: str,
    config: Mapping[str, Any],
    group: str | None = None,
    job_type: str | None = None,
    tags: Sequence[str] = (),
) -> Any:
    """Return a new run beside any others of this process; its files lie in `folder`/wandb.

    Where the network is gone the run, and every later one, is kept offline, which is said once.
    """
    import wandb  # noqa: PLC0415  # a second of start-up, and all else works where it is missing

    folder.mkdir(parents=True, exist_ok=True)
    wandb.setup(settings=wandb.Settings(silent=True))
    start = partial(
        wandb.init,
        project=project,
        entity=entity,
        name=name,
        group=group,
        job_type=job_type,
        tags=[tag[:LONGEST_TAG] for tag in tags],
        config=dict(config),
        dir=folder,
        reinit="create_new",  # beside the runs of the other cells that train now
        settings=wandb.Settings(
            console="off", silent=True, init_timeout=LOGIN_SECONDS, x_disable_meta=_names_a_secret(sys.argv)
        ),
    )
    mode = _mode(wandb)
    try:
        return start(mode=mode)
    except wandb.Error as error:
        if mode != "online":
            raise
        # nobody is there now: later runs do not wait for the answer again
        os.environ["WANDB_MODE"] = "offline"
        warnings.warn(f"Weights & Biases cannot be reached; runs are kept offline: {error}", stacklevel=2)
        return start(mode="offline")


def _names_a_secret(arguments: Sequence[str]) -> bool:
    """Return whether the command line, which wandb keeps with the run's other metadata, holds a secret."""
    return any(masked_override(argument) != argument for argument in arguments)


def _mode(wandb: Any) -> Mode:
    """Return how runs are kept: as WANDB_MODE says, else online for who is logged in, else offline."""
    chosen = os.environ.get("WANDB_MODE")
    if chosen:
        if chosen not in MODES:
            raise UserError(f"WANDB_MODE={chosen} is no mode of Weights & Biases; {nearest(chosen, MODES)}")
        return cast(Mode, chosen)
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
