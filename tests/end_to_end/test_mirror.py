"""Curves are mirrored to Weights & Biases, TensorBoard or CSV, one run per cell; no mirror ever costs a record."""

import csv
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.config import Config
from bnbench.records import load_records
from bnbench.sweep import summarise_record
from bnbench.train import observers
from bnbench.training import mirror
from bnbench.training.diagnostics.readings import Diagnosed, Reading
from bnbench.training.job import run_job

READER = Path(__file__).with_name("wandb_file.py")
AXES = ("step", "epoch", "samples")


def load_reader() -> Any:
    """Import wandb_file.py: test modules are no package."""
    spec = importlib.util.spec_from_file_location("wandb_file", READER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wandb_file"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mirrored(command: Any) -> tuple[Path, dict[str, Any], str]:
    """The runs folder of a sweep of two norms, the wandb files by run name, what it said."""
    run = command("-m", "norm=none,batch", "seeds=3", "logger=wandb", "logger.x_axis=samples", "+experiment=quickstart")
    assert run.code == 0, run.said
    files = [load_reader().read_wandb_file(path) for path in command.runs.glob("wandb/offline-run-*/*.wandb")]
    return command.runs, {file.name: file for file in files}, run.said


@pytest.mark.slow
def test_every_cell_of_a_sweep_is_an_offline_run_with_its_curves_and_scores(
    mirrored: tuple[Path, dict[str, Any], str],
) -> None:
    runs, files, said = mirrored
    assert "wandb" not in said, "it has nothing to say on the screen"
    records = {f"digits-{record.entry}": record for record in load_records(runs).records}
    assert files.keys() == records.keys() == {"digits-none", "digits-batch"}
    for name, file in files.items():
        record = records[name]
        assert (file.project, file.group, file.exit_code) == ("bnbench", "quickstart", 0)
        assert sorted(file.tags) == sorted(["digits", record.norm, "recipe"])
        assert file.config["seeds"] == [0, 1, 2]
        assert (file.config["cell_id"], file.config["entry"]) == (record.cell_id, record.entry)
        assert {key: file.config[key] for key in record.config if key != "seeds"} == {
            key: value for key, value in record.config.items() if key != "seeds"
        }
        check_curves(file, record)
        summary = {key: value for key, value in summarise_record(record).items() if value is not None}
        assert {key: file.summary[key] for key in summary} == pytest.approx(summary)
        assert {"hard/hit_rate", "hard/steps_to_target_rmst", "hard/steps_to_target_low", "final"} <= summary.keys()


def check_curves(file: Any, record: Any) -> None:
    """Mean and band over seeds at every evaluation, over steps, epochs and samples."""
    history = record.history()
    assert [row["step"] for row in file.rows] == [0, 3, 6]
    for row in file.rows:
        here = history["step"] == row["step"]
        for axis in AXES:
            assert row[axis] == pytest.approx(history[axis][here][0])
        assert row["seeds_alive"] == 3
        for column in ("val_loss", "val_accuracy", *(("train_loss",) if row["step"] else ())):
            values = history[column][here]
            assert row[f"{column}/mean"] == pytest.approx(values.mean())
            assert row[f"{column}/low"] == pytest.approx(np.quantile(values, 0.1))
            assert row[f"{column}/high"] == pytest.approx(np.quantile(values, 0.9))
    curves = {"train_loss/*", "val_loss/*", "val_accuracy/*", "seeds_alive", "learning_rate"}
    assert {name: file.axes[name] for name in curves} == dict.fromkeys(curves, "samples")
    assert file.axes.keys() >= set(AXES)


@pytest.mark.slow
def test_mirrors_in_the_runs_folder_are_no_cells(mirrored: tuple[Path, dict[str, Any], str]) -> None:
    assert load_records(mirrored[0]).skipped == []


@pytest.mark.parametrize("arguments", [(), ("-m", "norm=none,batch")])
def test_training_works_where_wandb_is_not_installed(arguments: tuple[str, ...], command: Any) -> None:
    run = command(*arguments, "logger=wandb", fault=("missing", "wandb"))
    assert run.code == 0
    assert "Traceback" not in run.said
    assert "logger=wandb failed and stays silent: ModuleNotFoundError" in run.said
    assert len(load_records(command.runs).records) == max(1, len(arguments))


def test_importing_the_command_does_not_import_wandb() -> None:
    program = "import sys, bnbench.train; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@dataclass
class Broken:
    """A log that fails in one of its methods, and counts how often it was finished."""

    fails_in: str
    calls: list[str] = field(default_factory=list)

    def _do(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_in:
            raise OSError(f"no network in {name}")

    def log(self, metrics: dict[str, float], *, step: int) -> None:
        self._do("log")

    def summarise(self, summary: dict[str, Any], *, step: int) -> None:
        self._do("summarise")

    def finish(self, *, failed: bool) -> None:
        self._do("finish")


@pytest.mark.parametrize("fails_in", ["open", "log", "summarise", "finish"])
def test_a_failing_mirror_costs_nothing_but_one_warning(
    fails_in: str, configure: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Broken(fails_in)

    def opened(*_: Any, **__: Any) -> Broken:
        log._do("open")
        return log

    monkeypatch.setattr(mirror, "WandbRun", opened)
    config = configure("logger=wandb")
    with pytest.warns(UserWarning, match=f"logger=wandb failed .* no network in {fails_in}") as told:
        (cell,) = run_job(config, observe=partial(observers, config, ""))
    assert len(told) == 1
    assert (cell.trained, cell.error) == ([0, 1], None)
    assert len(load_records(config.runs_dir).records) == 1


def test_the_log_is_finished_as_failed_when_training_fails(
    configure: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    class Log(Broken):
        def finish(self, *, failed: bool) -> None:
            ended.append(failed)

        def log(self, metrics: dict[str, float], *, step: int) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(mirror, "WandbRun", lambda *_, **__: Log("nothing"))
    config = configure("logger=wandb")
    with pytest.raises(KeyboardInterrupt):
        run_job(config, observe=partial(observers, config, ""))
    assert ended == [True]


@pytest.mark.parametrize("logger", ["csv", "tensorboard", "none"])
def test_other_loggers(logger: str, configure: Callable[..., Config]) -> None:
    config = configure(f"logger={logger}", "optimizer.lr=[0.1,0.2]")
    cells = run_job(config, observe=partial(observers, config, ""))
    folders = list(Path(config.runs_dir).glob(f"{logger}/*"))
    assert {folder.name for folder in folders} == (set() if logger == "none" else {cell.cell_id for cell in cells})
    assert load_records(config.runs_dir).skipped == []
    if logger == "csv":
        for cell in cells:
            (path,) = Path(config.runs_dir).glob(f"csv/{cell.cell_id}/*/metrics.csv")
            rows = list(csv.DictReader(path.read_text().splitlines()))
            assert [row["step"] for row in rows if row["val_accuracy/mean"]] == ["0", "3", "6"]


def test_diagnostics_are_mirrored_as_means_over_the_seeds_of_the_cell(configure: Callable[..., Config]) -> None:
    config = configure("logger=csv", "optimizer.lr=[0.1,0.2]", "diagnostics=[activations,gradients]")
    run_job(config, observe=partial(observers, config, ""))
    for record in load_records(config.runs_dir).records:
        (path,) = Path(config.runs_dir).glob(f"csv/{record.cell_id}/*/metrics.csv")
        mirrored = {int(row["step"]): row for row in csv.DictReader(path.read_text().splitlines()) if row["samples"]}
        table = record.read_diagnostics().to_pandas()
        means = table.groupby(["step", "layer", "name"])["value"].mean()
        assert set(mirrored) == {0, 3, 6}
        for (step, layer, name), mean in means.items():
            curve = f"diagnostics/{layer}/{name}" if layer else f"diagnostics/{name}"
            assert float(mirrored[step][curve]) == pytest.approx(mean)
        assert mirrored[0]["diagnostics/hidden.0/activation_drift"] == ""


def test_a_mirror_that_is_told_of_earlier_evaluations_has_their_diagnostics() -> None:
    """As one is where training goes on from a checkpoint: by then everything that was found is there."""
    found = [
        Reading(step, np.array([0, 1]), "units", "dead_units", layer, np.array([step, place]))
        for step in (0, 3, 6)
        for place, layer in enumerate(("hidden.0", "hidden.1"))
    ]
    means = [mirror._means(Diagnosed(("units",), readings=found), step, np.array([0])) for step in (0, 1, 3, 6)]
    told = [{f"diagnostics/hidden.{place}/dead_units": step for place in (0, 1)} for step in (0.0, 3.0, 6.0)]
    assert means == [told[0], {}, *told[1:]]
