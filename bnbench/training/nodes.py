"""Processes that a launcher such as torchrun has started, on several nodes maybe: the first leads, the others follow.

The first is an ordinary `bnbench.train` and decides, evaluates and writes everything; the others wait for what it asks.
They find each other as torch's processes do, by MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE and LOCAL_RANK.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from bnbench.config import Config
from bnbench.datasets import Task
from bnbench.errors import UserError
from bnbench.norms import ChosenNorm
from bnbench.training import preemption
from bnbench.training.checkpoint import Checkpoint
from bnbench.training.evaluator import Observer
from bnbench.training.fit import Member
from bnbench.training.history import Trajectory
from bnbench.training.messages import read_request, request
from bnbench.training.rank import take_part
from bnbench.training.rank_numbers import Launched, launched, uses_gpus

A_WEEK = timedelta(days=7)
SECONDS_TO_LEAVE = timedelta(seconds=30)
END = "end"


@dataclass
class Party:
    """The launched processes: a store that all reach, in which the first leaves one request after the other."""

    own: Launched
    store: Any
    count: int = 0
    device: torch.device | None = None
    is_broken: bool = False

    @classmethod
    def met(cls, own: Launched) -> "Party":
        """Return the party, once its store can be reached."""
        store, _, _ = next(rendezvous("env://", own.rank, own.size))
        return cls(own, store)

    def ask(self, line: str) -> None:
        """Leave the next request."""
        self.count += 1
        self.store.set(f"bnbench/{self.count}", line)

    def next_line(self) -> str:
        """Return the next request, however long it takes."""
        self.count += 1
        key = f"bnbench/{self.count}"
        self.store.wait([key], A_WEEK)
        line: bytes = self.store.get(key)
        return line.decode()

    def train(self, line: str, observers: Sequence[Observer] = ()) -> Trajectory:
        """Train what is asked together with the others."""
        asked = json.loads(line)
        if self.device is None:
            self.device = self._join(read_request(asked)[0])
        return take_part(asked, observers, rank=self.own.rank, size=self.own.size, device=self.device)

    def _join(self, config: Config) -> torch.device:
        gpus = uses_gpus(config.trainer)
        device = torch.device("cuda", self.own.local_rank) if gpus else torch.device("cpu")
        if gpus:
            torch.cuda.set_device(device)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo",
            store=self.store,
            rank=self.own.rank,
            world_size=self.own.size,
            timeout=timedelta(seconds=config.trainer.timeout_seconds),
        )
        return device


class Leader:
    """What the first of the launched processes trains with; one for the whole sweep."""

    _party: Party | None = None

    @classmethod
    def fit(
        cls,
        config: Config,
        task: Task,
        norm: ChosenNorm,
        members: Sequence[Member],
        *,
        stacked: bool,
        observers: Sequence[Observer] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Trajectory:
        """Train the members on all launched processes.

        Where that fails the others may wait for what never comes: nothing can be trained with them any more. Nor is a
        state left where the process is asked to leave, which it does at once: the others need not see this folder.
        """
        party = cls._party = cls._party or Party.met(launched())
        if party.is_broken:
            raise UserError("the launched processes failed in an earlier job; the same command goes on from there")
        line = request(config, members, checksum=task.checksum, stacked=stacked)
        party.ask(line)
        try:
            with preemption.deferred(waits=False):
                return party.train(line, observers)
        except BaseException:
            party.is_broken = True
            raise

    @classmethod
    def end(cls) -> None:
        """Let the others go, where there are any."""
        own = launched()
        if own.size > 1 and own.rank == 0:
            party = cls._party = cls._party or Party.met(own)
            party.ask(END)
            # the store may live in this process: not before all have read that
            with suppress(distributed.DistError):
                party.store.wait([_left(rank) for rank in range(1, own.size)], SECONDS_TO_LEAVE)


def follow() -> int:
    """Train what the first of the launched processes asks for, until it ends; return the exit code."""
    party = Party.met(launched())
    while (line := party.next_line()) != END:
        party.train(line)
    party.store.set(_left(party.own.rank), "")
    return 0


def _left(rank: int) -> str:
    return f"bnbench/left/{rank}"
