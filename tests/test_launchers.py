"""Launchers are fitted to the machine: every worker has GPUs of its own, and its share of the processors."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from bnbench import launchers, workers
from bnbench.errors import UserError
from bnbench.launchers import prepare_launcher
from bnbench.train import CONF
from bnbench.workers import FOLDER, GPUS, PARENT, SCRATCH, SWEEP, THREADS, begin_job, claim_gpus, is_worker

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A sweep on four GPUs and eight processors; what it leaves in the environment goes."""
    before = dict(os.environ)
    os.environ.update({SWEEP: "20260101T000000Z-abcdef", SCRATCH: str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1,2,3"})
    monkeypatch.setattr(launchers, "cpu_count", lambda: 8)
    monkeypatch.setattr(workers, "SECONDS_FOR_A_GPU", 0.2)
    monkeypatch.setattr(workers, "HELD", [])
    yield
    os.environ.clear()
    os.environ.update(before)


def prepared(*overrides: str) -> DictConfig:
    """The launcher of a multirun, fitted."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=list(overrides), return_hydra_config=True)
        assert (prepare_launcher(config) is None) == (not overrides)
    launcher: DictConfig = config.hydra.launcher
    return launcher


def test_one_process_is_left_as_it_is() -> None:
    prepared()
    assert PARENT not in os.environ
    assert not is_worker()


@pytest.mark.parametrize(
    ("overrides", "n_jobs", "gpus"),
    [
        ((), 4, "0;1;2;3"),
        (("trainer.devices=2",), 2, "0,1;2,3"),
        (("trainer.devices=3",), 1, "0,1,2"),
        (("hydra.launcher.n_jobs=2",), 2, "0;1;2;3"),
        (("hydra.launcher.n_jobs=8",), 4, "0;1;2;3"),
    ],
)
def test_joblib_has_a_worker_for_every_group_of_gpus(
    overrides: tuple[str, ...], n_jobs: int, gpus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepared("hydra/launcher=joblib", "trainer=gpu", *overrides).n_jobs == n_jobs
    assert os.environ[GPUS] == gpus
    said = capsys.readouterr().out
    assert said == (
        ""
        if "hydra.launcher.n_jobs=8" not in overrides
        else f"{overrides[0]}, trainer.devices=1, 4 GPU(s) here: 4 job(s) at a time\n"
    )


@pytest.mark.parametrize(
    ("overrides", "n_jobs", "share"),
    [
        ((), 8, None),
        (("trainer.threads=4",), 2, None),
        (("trainer.threads=16",), 1, None),
        (("hydra.launcher.n_jobs=2",), 2, "4"),
        (("hydra.launcher.n_jobs=3",), 3, "2"),
        (("hydra.launcher.n_jobs=16",), 16, "1"),
        (("hydra.launcher.n_jobs=2", "trainer=ddp_cpu", "trainer.devices=2"), 2, "2"),
    ],
)
def test_joblib_divides_the_processors_among_its_jobs(
    overrides: tuple[str, ...], n_jobs: int, share: str | None
) -> None:
    assert prepared("hydra/launcher=joblib", *overrides).n_jobs == n_jobs
    assert os.environ.get(THREADS) == share
    assert GPUS not in os.environ


def test_jobs_of_slurm_and_ray_ask_for_what_they_use(tmp_path: Path) -> None:
    wide = ("trainer=gpu", "trainer.devices=2", "trainer.threads=3", f"runs_dir={tmp_path}/runs")
    slurm = prepared("hydra/launcher=submitit_slurm", *wide)
    assert (slurm.gpus_per_node, slurm.cpus_per_task) == (2, 3)
    assert slurm.submitit_folder == f"{tmp_path}/runs/.submitit/20260101T000000Z-abcdef/%j"
    assert OmegaConf.to_container(prepared("hydra/launcher=ray", *wide).ray.remote) == {"num_cpus": 3, "num_gpus": 2}
    own = prepared("hydra/launcher=ray", *wide, "+hydra.launcher.ray.remote.num_cpus=1", "trainer=cpu")
    assert OmegaConf.to_container(own.ray.remote) == {"num_cpus": 1}


def test_every_worker_has_gpus_of_its_own_until_it_ends() -> None:
    os.environ[GPUS] = "0,1;2,3"
    first = claim_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    second = claim_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"
    with pytest.raises(UserError, match="no GPU is left for a worker: all of 0,1;2,3 are taken"):
        claim_gpus()
    first.release()
    third = claim_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    second.release()
    third.release()


def worker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process a worker of another."""
    monkeypatch.setenv(PARENT, "elsewhere:1")
    monkeypatch.setenv(FOLDER, str(folder))
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))


def test_a_worker_stands_where_its_parent_does_with_its_share_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(tmp_path, monkeypatch)
    os.environ[THREADS] = "2"
    composed = OmegaConf.create({"trainer": {"threads": 4}})
    begin_job(composed)
    assert Path.cwd() == tmp_path
    assert composed.trainer.threads == 2
    composed.trainer.threads = 1
    begin_job(composed)
    assert composed.trainer.threads == 1


def test_a_worker_that_cannot_see_the_folder_of_its_parent_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(tmp_path / "nowhere", monkeypatch)
    with pytest.raises(UserError, match=r"nowhere, where the sweep runs, is not on .*: No such file or directory"):
        begin_job(OmegaConf.create({"trainer": {"threads": 1}}))


def fake(folder: Path, name: str, code: str) -> None:
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{code}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("ended", "requeued"), [(0, False), (1, False), (75, True)])
def test_the_script_for_sbatch_goes_back_into_the_queue_where_time_ran_out(
    ended: int, requeued: bool, tmp_path: Path
) -> None:
    fake(tmp_path, "srun", f'echo "$@" > {tmp_path}/asked\nexit {ended}')
    fake(tmp_path, "scontrol", f'echo "$@" > {tmp_path}/requeued')
    environment: dict[str, Any] = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    script = ["bash", str(ROOT / "examples/sweep.sbatch"), "+experiment=quickstart", "norm=batch,layer"]
    assert subprocess.run(script, env=environment, check=False).returncode == ended
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("python -m bnbench.train -m hydra/launcher=joblib +experiment=quickstart norm=batch,layer\n")
    assert (tmp_path / "requeued").exists() == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 7\n"
