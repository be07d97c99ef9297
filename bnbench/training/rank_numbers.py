"""Over how many processes a configuration is spread, and what that decides."""

import os
from dataclasses import dataclass

import torch

from bnbench.config import Config, TrainerConfig, budget_of
from bnbench.errors import UserError
from bnbench.norms import NORMS, ChosenNorm
from bnbench.training.group import share_out


def num_ranks(trainer: TrainerConfig) -> int:
    """Return the number of processes, one per device of every node."""
    return trainer.devices * trainer.num_nodes


def statistics_are_local(trainer: TrainerConfig) -> bool:
    """Return whether each process takes the statistics of its own rows: then their number decides results."""
    return num_ranks(trainer) > 1 and not trainer.sync_batch_statistics


@dataclass(frozen=True)
class Launched:
    """Which of how many processes of a launcher this is, and which of those on its node."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0


def launched() -> Launched:
    """Return what a launcher such as torchrun says of this process; one of one where there is none."""
    told = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if "MASTER_ADDR" not in os.environ or not all(text.isdecimal() for text in told):
        return Launched()
    return Launched(*map(int, told))


def may_be_batch_coupled(norm: ChosenNorm) -> bool:
    """Return whether a norm takes statistics over the batch; of a class path nothing is known, so it may."""
    return norm.norm.batch_coupled or norm.norm.name not in NORMS.names()


def check_ranks(config: Config, norm: ChosenNorm) -> None:
    """Raise UserError for processes that cannot share a batch, or cannot be had here."""
    trainer, batch_size = config.trainer, budget_of(config).batch_size
    ranks = num_ranks(trainer)
    if ranks == 1:
        return
    asked = f"trainer.devices={trainer.devices}" + (f" on {trainer.num_nodes} nodes" if trainer.num_nodes > 1 else "")
    if batch_size < ranks:
        raise UserError(f"{asked}: budget.batch_size={batch_size} leaves some without a row, expected {ranks} at least")
    fewest = min(share_out(batch_size, ranks))
    if statistics_are_local(trainer) and fewest < norm.norm.minimum_batch:
        raise UserError(
            f"{asked}: of budget.batch_size={batch_size} one of them has {fewest} row(s); norm '{norm.entry}' takes "
            f"statistics over the batch and needs {norm.norm.minimum_batch} there, since "
            "trainer.sync_batch_statistics=false"
        )
    if config.dataset.source == "arrays":
        raise UserError(f"{asked}: arrays in memory stay in their process; expected 1, or a data set from a file")
    size = launched().size
    if size not in (1, ranks):
        raise UserError(f"{asked}: {size} processes were launched, expected {ranks}; or launch none, on one node")
    if size == 1 and trainer.num_nodes > 1:
        raise UserError(
            f"{asked}: start bnbench.train on every node by a launcher, e.g. torchrun --nnodes={trainer.num_nodes} "
            f"--nproc-per-node={trainer.devices} --node-rank=… --master-addr=… --master-port=… -m bnbench.train …"
        )
    available = torch.cuda.device_count()
    if uses_gpus(trainer) and trainer.devices > available:
        raise UserError(f"{asked}: there are {available} GPUs here; trainer=ddp_cpu trains on the CPU")


def uses_gpus(trainer: TrainerConfig) -> bool:
    """Return whether each process has a GPU."""
    return trainer.accelerator in ("gpu", "cuda") or (trainer.accelerator == "auto" and torch.cuda.is_available())
