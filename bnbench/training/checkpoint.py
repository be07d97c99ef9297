"""The state of a batch of replicas between two steps, written when the process must leave, and taken up again.

Everything that training changes is held by objects with `state()` and `load_state()` of named tensors; what is to go on
with a batch of replicas has these two and a name in `Evaluator.holders`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.records import ENGINE_VERSION, atomic
from bnbench.records.checkpoint import ABOUT, CHECKPOINT_FILE, CHECKPOINT_FORMAT, SUM, CheckpointHead, read_head
from bnbench.training.cells import Cell
from bnbench.training.chunks import Part, side_by_side
from bnbench.training.memory import is_gpu
from bnbench.training.outcome import version_of
from bnbench.training.rank_numbers import num_ranks

State = dict[str, Tensor]


class Stateful(Protocol):
    """Changes as training goes on, and can be put back to where it was."""

    def state(self) -> State:
        """Return what has changed since it was made, by name."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Become what returned this state; made as that was, for the replicas that were still in the stack."""


def state_of(holders: Mapping[str, Stateful]) -> State:
    """Return the state of all holders, on the CPU, in one dictionary."""
    return {
        f"{holder}/{name}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for holder, stateful in holders.items()
        for name, value in stateful.state().items()
    }


def load_states(holders: Mapping[str, Stateful], state: Mapping[str, Tensor]) -> None:
    """Hand every holder what it has in a joint state."""
    for holder, stateful in holders.items():
        prefix = f"{holder}/"
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        stateful.load_state(own)


@dataclass(frozen=True)
class Saved:
    """A state and the number of steps that led to it."""

    step: int
    state: State


@dataclass(frozen=True)
class Checkpoint:
    """The file in which one batch of replicas is left, and all that must be the same to go on from it."""

    folder: Path
    about: dict[str, Any]

    @property
    def path(self) -> Path:
        """Return where the file lies."""
        return self.folder / CHECKPOINT_FILE

    def write(self, saved: Saved) -> None:
        """Write the state, so that any reader finds it whole or finds what was there before."""
        about = json.dumps({**self.about, "step": saved.step})
        told = {ABOUT: about, SUM: _checksum(about, saved.state)}
        atomic.write_atomically(self.path, to_safetensors(saved.state, metadata=told))

    @property
    def max_steps(self) -> int:
        """Return how many steps training takes in all."""
        return int(self.about["max_steps"])

    @property
    def step(self) -> int | None:
        """Return the number of steps that led to what lies there, None where there is nothing."""
        head = read_head(self.folder)
        return head.step if isinstance(head, CheckpointHead) else None

    def problem(self) -> str | None:
        """Return why training cannot go on from what lies there; None where it can, or where there is nothing."""
        found = self.read()
        return found if isinstance(found, str) else None

    def read(self) -> Saved | str | None:
        """Return the state that was left, why it cannot be gone on from, or None where there is none."""
        head = read_head(self.folder)
        if head is None or isinstance(head, str):
            return head
        for name, value in self.about.items():
            if head.about.get(name) != value:
                return f"it is of {name.replace('_', ' ')} {_short(head.about.get(name))}, this is {_short(value)}"
        try:
            content = self.path.read_bytes()
            # cloned: what lies somewhere in a file is not aligned as what computes with it expects
            state = {name: value.clone() for name, value in from_safetensors(content).items()}
        except (OSError, SafetensorError, ValueError):
            return "it is torn or damaged"
        told = _metadata(content)
        if told.get(SUM) != _checksum(told[ABOUT], state):
            return "it is damaged: its numbers are not those that were written"
        return Saved(json.loads(told[ABOUT])["step"], state)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        atomic.remove_file(self.path)


def checkpoint_of(parts: Sequence[Part], config: Config, task: Task, *, stacked: bool) -> Checkpoint:
    """Return where this batch of replicas is left. It lies in the record folder of the first cell, beside nothing."""
    about = {
        "format": CHECKPOINT_FORMAT,
        "parts": [
            {"cell_id": part.cell.cell_id, "seeds": list(part.seeds), "learning_rate": part.cell.learning_rate}
            for part in parts
        ],
        "engine_version": ENGINE_VERSION,
        "bnbench": version_of("bnbench"),
        "torch": torch.__version__,
        "data": task.checksum,
        "max_steps": budget_of(config).max_steps,
        "device": "cuda" if is_gpu(config.trainer.accelerator) else "cpu",
        "ranks": num_ranks(config.trainer),
        "stacked": stacked,
        "diagnostics": list(parts[0].cell.diagnostics),
    }
    return Checkpoint(parts[0].folder, about)


@dataclass(frozen=True)
class Left:
    """What earlier runs left of these cells: batches to go on with, and by cell the files that no longer fit."""

    batches: list[list[Part]]
    misfits: list[tuple[Cell, Path, str]]
    not_asked: list[Path]

    def others(self, missing: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """Return the seeds that are to begin, by cell id."""
        going_on = {(part.cell.cell_id, seed) for parts in self.batches for part in parts for seed in part.seeds}
        return {
            cell_id: tuple(seed for seed in seeds if (cell_id, seed) not in going_on)
            for cell_id, seeds in missing.items()
        }


def find_left(cells: Sequence[Cell], missing: Mapping[str, tuple[int, ...]], folders: Mapping[str, list[Path]]) -> Left:
    """Return what lies in the unfinished folders of these cells, by cell id.

    A batch is gone on with where all its seeds are missing still, and none of them goes on from another file. One of
    which no seed is asked for stays for whoever asks; one of which some are cannot be cut.
    """
    left = Left([], [], [])
    by_id = {cell.cell_id: cell for cell in cells}
    going_on: list[tuple[str, int]] = []
    for cell in cells:
        for folder in folders[cell.cell_id]:
            head = read_head(folder)
            if head is None:
                continue
            if isinstance(head, str):
                left.misfits.append((cell, folder, head))
                continue
            own = [(cell_id, seed) for cell_id, seeds in head.parts for seed in seeds]
            wanted = [set(seeds) & set(missing.get(cell_id, ())) for cell_id, seeds in head.parts]
            if not any(wanted):
                left.not_asked.append(folder)
            elif [len(found) for found in wanted] != [len(seeds) for _, seeds in head.parts]:
                left.misfits.append((cell, folder, _other_seeds(head.parts, by_id)))
            elif head.about.get("diagnostics") != list(cell.diagnostics):
                had, asked = _short(head.about.get("diagnostics")), _short(list(cell.diagnostics))
                left.misfits.append((cell, folder, f"it has diagnostics {had}, asked are {asked}"))
            elif cell.record_folder(head.parts[0][1]) != folder or head.parts[0][0] != cell.cell_id:
                left.misfits.append((cell, folder, "it belongs to another folder"))
            elif len({*own, *going_on}) < len(own) + len(going_on):
                left.misfits.append((cell, folder, "it is of seeds that go on from another one"))
            else:
                going_on += own
                left.batches.append(side_by_side([(by_id[cell_id], seeds) for cell_id, seeds in head.parts]))
    return left


def _other_seeds(parts: Sequence[tuple[str, tuple[int, ...]]], cells: Mapping[str, Cell]) -> str:
    seeds = sorted({seed for _, own in parts for seed in own})
    of = "" if len(parts) == 1 else f" of {len(parts)} cells that trained together"
    return f"it is of seeds {', '.join(map(str, seeds))}{of}, and not all of these are asked for and missing"


def _metadata(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return found


def _checksum(about: str, state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of what a checkpoint says of itself and of every tensor with name, type and shape."""
    found = hashlib.sha256(about.encode())
    for name in sorted(state):
        value = state[name]
        found.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
