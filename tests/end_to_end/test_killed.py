"""A run that is killed or interrupted anywhere goes on from there to the very same numbers."""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records, read_experiment
from bnbench.training.preemption import EXIT_CODE

JOB = ("norm=batch", "seeds=3", "optimizer.lr=[0.1,0.2]")
LONG = ("norm=batch", "seeds=3", "budget.max_steps=2500", "budget.eval_every_steps=50")


@pytest.mark.slow
def test_killed_at_any_point_it_resumes_to_the_histories_of_an_undisturbed_run(
    tmp_path: Path, command: Any, histories: Any, assert_same: Any
) -> None:
    assert command(*JOB).code == 0
    undisturbed = histories(command.runs)
    script = Path(__file__).with_name("kill_job.py")
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "killed"), *command.defaults, *JOB],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    points = [line.split("\t") for line in result.stdout.splitlines()]
    names = [name for name, _ in points]
    assert names.count("rename .run.json.tmp") == names.count("rename .history.parquet.tmp") == 2
    # the experiment's index, and of each of the two records its history, its checksums and run.json
    assert names.count("half a file") == 7
    assert {f"evaluation at step {step}" for step in (0, 3, 6)} < set(names)
    assert names[-1] == "done"
    left = [int(count) for _, count in points]
    assert left == sorted(left, reverse=True)
    assert set(left) == {6, 3, 0}, "each cell is kept as soon as it is written"
    for number in range(len(points)):
        runs = tmp_path / "killed" / str(number)
        assert_same(histories(runs), undisturbed)
        index = read_experiment(runs, "killed")
        assert {cell_id: cell["seeds"] for cell_id, cell in index.items()} == {
            cell_id: [0, 1, 2] for cell_id, _ in undisturbed
        }


TWELVE = ("-m", "norm=none,batch,layer,rms,group,weight", "seeds=3", "optimizer.lr=[0.1,0.2]")
KILLS = 25
LONGEST_CELL_SECONDS = 0.5


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_goes_on_to_the_histories_of_an_undisturbed_one(
    tmp_path: Path, command: Any, histories: Any, assert_same: Any
) -> None:
    """Every kill is a SIGKILL of the process of a sweep of its own, which the same command then finishes.

    The moment is some time after a number of records are there: on a busy machine kills are spread as on an idle one.
    """
    assert command(*TWELVE).code == 0
    undisturbed = histories(command.runs)
    assert len(undisturbed) == 12 * 3
    random_seed = secrets.randbits(32)
    draw = random.Random(random_seed)
    kept: list[int] = []
    while len(kept) < KILLS:
        number, delay = draw.randrange(12), draw.uniform(0, LONGEST_CELL_SECONDS)
        what = f"random seed {random_seed}, kill {len(kept)}: {delay:.3f} s after {number} records were there"
        runs = tmp_path / f"killed-{len(kept)}"
        run = command.start(*TWELVE, f"runs_dir={runs}")
        while run.alive() and len(written(runs)) < number:
            time.sleep(0.005)
        time.sleep(delay)
        run.send(signal.SIGKILL)
        if run.wait().code == 0:
            shutil.rmtree(runs)  # it had ended before: another draw
            continue
        assert run.code == -signal.SIGKILL, what
        before = written(runs)
        kept.append(len(before))
        sys.stdout.write(f"{what}: {kept[-1]} of 12 cells kept\n")
        again = command(*TWELVE, f"runs_dir={runs}")
        assert again.code == 0, f"{what}: {again.said}"
        assert_same(histories(runs), undisturbed)
        after = written(runs)
        assert {path: after[path] for path in before} == before, f"{what}: a finished cell was trained again"
    assert len({count for count in kept if 0 < count < 12}) > 2, f"random seed {random_seed}: {kept}"


def written(runs: Path) -> dict[Path, int]:
    """The records of a folder, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in runs.glob("*/seeds-*/run.json")}


def wait_for_training(run: Any, runs: Path) -> None:
    """Wait until the run has begun a record and trains."""
    for _ in range(600):
        if any(not (folder / "run.json").exists() for folder in runs.glob("*/seeds-*")):
            time.sleep(0.3)  # past the first evaluations
            return
        assert run.alive(), run.said
        time.sleep(0.05)
    pytest.fail(f"training did not start: {run.said}")


def wait_for(text: str, run: Any) -> None:
    for _ in range(600):
        if text in run.said:
            return
        assert run.alive(), run.said
        time.sleep(0.05)
    pytest.fail(run.said)


@pytest.mark.slow
@pytest.mark.parametrize(("killer", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, EXIT_CODE)])
def test_a_process_killed_in_mid_training_leaves_its_cell_to_the_next_at_once(
    killer: signal.Signals, code: int, command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    """Its lock does not keep the cell from anyone, and nothing of the unfinished run counts."""
    assert command("norm=none", "seeds=3").code == 0
    killed = command.start(*LONG)
    wait_for_training(killed, command.runs)
    killed.send(killer)
    assert killed.wait().code == code
    assert "Traceback" not in killed.said
    assert [record.norm for record in load_records(command.runs).records] == ["none"]
    again = command(*LONG)
    assert (again.code, again.said.count("trained 3 seeds")) == (0, 1), again.said
    assert command(*LONG, f"runs_dir={tmp_path / 'undisturbed'}").code == 0
    assert_same(histories(*command.runs.glob("digits-batch-*")), histories(tmp_path / "undisturbed"))


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_keeps_finished_cells_and_says_how_to_go_on(
    command: Any,
) -> None:
    sweep = ("-m", "seeds=3", "budget.eval_every_steps=50")
    # the norms one after the other for 50 steps, then the first of them for a time that does not end
    run = command.start(*sweep, "norm=none,batch", "budget.max_steps=50,100000")
    wait_for("digits · batch: trained 3 seeds", run)
    wait_for_training(run, command.runs)
    run.send(signal.SIGINT)
    assert run.wait().code == 1
    assert "Traceback" not in run.said
    assert "Interrupted. Finished cells are kept; the same command goes on from here:" in run.said
    again = run.said.splitlines()[-1].strip()
    assert again.startswith("python -m bnbench.train -m ")
    kept = load_records(command.runs).records
    assert [(record.norm, record.config["budget"]["max_steps"]) for record in kept] == [("batch", 50), ("none", 50)]
    resumed = command(*sweep, "norm=none,batch,layer", "budget.max_steps=50")
    assert resumed.code == 0
    assert "digits · none: 3 seeds already finished, nothing to train" in resumed.said
    assert "digits · batch: 3 seeds already finished, nothing to train" in resumed.said
    assert "digits · layer: trained 3 seeds" in resumed.said
