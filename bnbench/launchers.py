"""What a sweep tells the launcher of its jobs, so that workers fit the machine and know whose they are."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

import torch
from joblib import cpu_count
from joblib.externals.loky import get_reusable_executor
from omegaconf import DictConfig, open_dict, read_write

from bnbench.reports import print_lines
from bnbench.training.rank_numbers import uses_gpus
from bnbench.workers import FOLDER, GPUS, PARENT, SWEEP, THREADS, this_process

HANDED_ON = ("HYDRA_FULL_ERROR", "WANDB_MODE")  # besides all of BNBENCH_
SECONDS_TO_LEAVE = 60.0


@dataclass(frozen=True)
class Engine:
    """What runs workers: how it is fitted to a sweep, and how its workers are let go, whether all went well or not."""

    prepare: Callable[[DictConfig, DictConfig], None] = lambda launcher, config: None
    end: Callable[[Path, bool], None] = lambda runs_dir, well: None
    on_other_hosts: bool = True


def prepare_launcher(config: DictConfig) -> Engine | None:
    """Fit the launcher of a multirun to the machine and its workers to this process; None if it starts none.

    Only what is left at the launcher's own default is filled in, but of more workers than there are GPUs for some would
    wait for others: they are lowered to what there is, which is said.
    """
    launcher = config.hydra.launcher
    if launcher["_target_"].startswith("hydra._internal."):
        return None
    found = [engine for name, engine in ENGINES.items() if f".hydra_{name}_launcher." in launcher["_target_"]]
    engine = found[0] if found else Engine()
    os.environ[PARENT], os.environ[FOLDER] = this_process(), str(Path.cwd())
    with read_write(config), open_dict(config):
        engine.prepare(launcher, config)
        # these reach workers whatever of the environment a launcher hands on
        for name in sorted(os.environ):
            if name.startswith("BNBENCH_") or name in HANDED_ON:
                config.hydra.overrides.hydra.append(f"++hydra.job.env_set.{name}={_quoted(os.environ[name])}")
    return engine


def _quoted(value: str) -> str:
    r"""Return a value as Hydra's grammar reads it back.

    >>> _quoted("it's")
    "'it\\'s'"
    """
    return "'" + value.replace("'", "\\'") + "'"


def _prepare_joblib(launcher: DictConfig, config: DictConfig) -> None:
    # several short jobs in one hand would wait for each other, and be lost together
    launcher.batch_size = 1
    devices = config.trainer.devices
    if uses_gpus(config.trainer) and (gpus := visible_gpus()):
        groups = [",".join(gpus[first : first + devices]) for first in range(0, len(gpus) - devices + 1, devices)]
        places = max(1, len(groups))
        if launcher.n_jobs > places:
            asked = f"hydra.launcher.n_jobs={launcher.n_jobs}, trainer.devices={devices}, {len(gpus)} GPU(s) here"
            print_lines([f"{asked}: {places} job(s) at a time"])
        launcher.n_jobs = min(launcher.n_jobs, places) if launcher.n_jobs > 0 else places
        os.environ[GPUS] = ";".join(groups)
    elif launcher.n_jobs < 0:
        launcher.n_jobs = max(1, cpu_count() // _processors(config))
    else:
        os.environ[THREADS] = str(max(1, cpu_count() // (launcher.n_jobs * devices)))


def _end_joblib(runs_dir: Path, well: bool) -> None:
    """Have workers leave: at the first request those that train leave a checkpoint, idle ones end at any."""
    until = time.monotonic() + SECONDS_TO_LEAVE
    while (workers := active_children()) and time.monotonic() < until:
        for worker in workers:
            worker.terminate()
        time.sleep(0.1)
    # left alone, they would take themselves apart for seconds while Python waits for them
    get_reusable_executor(reuse=True).shutdown(kill_workers=True)


def _prepare_submitit(launcher: DictConfig, config: DictConfig) -> None:
    if str(launcher.submitit_folder).startswith(str(config.hydra.sweep.dir)):
        # the sweep's own folder is on this machine, and jobs need one that all share
        launcher.submitit_folder = str(_submitit_folder(Path(config.runs_dir)) / "%j")
    # the signal that precedes a time limit: one at which a checkpoint is left for whoever runs the same command again
    os.environ.setdefault("SUBMITIT_PREEMPT_SIGNAL", "USR1")
    if launcher.cpus_per_task is None:
        launcher.cpus_per_task = _processors(config)
    if launcher.gpus_per_node is None and uses_gpus(config.trainer):
        launcher.gpus_per_node = config.trainer.devices


def _submitit_folder(runs_dir: Path) -> Path:
    """Return where jobs handed to a scheduler keep their files; a sweep that ends well leaves none."""
    return runs_dir.resolve() / ".submitit" / os.environ[SWEEP]


def _end_submitit(runs_dir: Path, well: bool) -> None:
    if well:
        folder = _submitit_folder(runs_dir)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not there, or of another sweep too
            folder.parent.rmdir()


def _prepare_ray(launcher: DictConfig, config: DictConfig) -> None:
    start, resources = launcher.ray.init, launcher.ray.remote
    if start.get("address") or os.environ.get("RAY_ADDRESS"):
        start.setdefault("object_store_memory", None)  # of a cluster that runs, it is not ours to say
    start.setdefault("logging_level", "warning")
    resources.setdefault("num_cpus", _processors(config))
    if uses_gpus(config.trainer):
        resources.setdefault("num_gpus", config.trainer.devices)


def _end_ray(runs_dir: Path, well: bool) -> None:
    import ray  # noqa: PLC0415  # an extra that takes a second, for those whose jobs it runs

    ray.shutdown()  # at once: where one job was lost, those that still run end as lost too


ENGINES: Mapping[str, Engine] = {
    "joblib": Engine(_prepare_joblib, _end_joblib, on_other_hosts=False),
    "submitit": Engine(_prepare_submitit, _end_submitit),
    "ray": Engine(_prepare_ray, _end_ray),
}


def _processors(config: DictConfig) -> int:
    """Return how many processors a job keeps busy."""
    trainer = config.trainer
    return int(trainer.threads * (1 if uses_gpus(trainer) else trainer.devices))


def visible_gpus() -> list[str]:
    """Return the GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(torch.cuda.device_count())]
    return [name for name in named.split(",") if name]
