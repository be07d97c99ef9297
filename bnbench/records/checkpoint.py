"""What a preempted batch of replicas left in its unfinished record folder, as far as it can be told without torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

CHECKPOINT_FILE = "checkpoint.safetensors"
CHECKPOINT_FORMAT = 1
# keys of the file's metadata, which is text
ABOUT, SUM = "about", "sha256"


@dataclass(frozen=True, kw_only=True)
class CheckpointHead:
    """What a checkpoint says of itself; whether its numbers are sound, only reading them all can tell.

    `about` is what it must fit to be gone on from; `parts` are the cells and seeds that trained together.
    """

    path: Path
    step: int
    max_steps: int
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    about: Mapping[str, Any]

    @property
    def told(self) -> str:
        """Return where it was left, in words."""
        return f"preempted at step {self.step} of {self.max_steps}"


def read_head(folder: Path) -> CheckpointHead | str | None:
    """Return the head of the checkpoint in a record folder, what is wrong with it, or None where there is none."""
    path = folder / CHECKPOINT_FILE
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})[ABOUT])
        if about["format"] != CHECKPOINT_FORMAT:
            return f"it has format {about['format']!r}, this bnbench reads {CHECKPOINT_FORMAT}"
        return CheckpointHead(
            path=path,
            step=_count(about["step"]),
            max_steps=_count(about["max_steps"]),
            parts=tuple((str(part["cell_id"]), tuple(map(_count, part["seeds"]))) for part in about["parts"]),
            about=about,
        )
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        return "it is torn or damaged"


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
