"""Whatever is wrong with a command line, one message says what, and nothing that is finished is lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records

# what is typed, and what the message must say: the thing, its value, what would be right
MISTAKES = {
    "unknown norm": (["norm=bacth"], ["norm=bacth is unknown", "did you mean 'batch'?"]),
    "unknown norm in a sweep": (["-m", "norm=none,bacth"], ["norm=bacth is unknown", "did you mean 'batch'?"]),
    "unknown data set": (["dataset=digit"], ["dataset=digit is unknown", "did you mean 'digits'?"]),
    "unknown experiment": (["+experiment=quickstrat"], ["experiment=quickstrat is unknown", "'quickstart'?"]),
    "unknown key": (["budget.max_step=3"], ["budget.max_step is no key of budget", "did you mean 'max_steps'?"]),
    "unknown key added": (["+budget.max_step=3"], ["budget.max_step is no key of budget", "'max_steps'?"]),
    "unknown group added": (["+budgets.max_steps=3"], ["budgets is no key", "did you mean 'budget'?"]),
    "unknown option": (["norm.epz=1"], ["norm.epz is no key of norm", "did you mean 'eps'?"]),
    "option of another norm": (["norm=layer", "+norm.epz=1"], ["'layer' takes no option 'epz'", "'eps'?"]),
    "wrong type": (["budget.max_steps=many"], ["budget.max_steps=many", "could not be converted to Integer"]),
    "number for a list": (["model.hidden=8"], ["model.hidden=8", "int is not a ListConfig, list or tuple"]),
    "unknown activation": (["model.activation=rleu"], ["model.activation='rleu'", "did you mean 'relu'?"]),
    "no seed": (["seeds=[]"], ["seeds=[] asks for no seed", "whole number n"]),
    "zero seeds": (["seeds=0"], ["seeds=0 asks for no seed"]),
    "seeds twice": (["seeds=[1,2,1]"], ["seeds=[1, 2, 1] names [1] more than once"]),
    "seed below 0": (["seeds=[-1]"], ["-1 is below 0"]),
    "seeds in words": (["seeds=eight"], ["seeds='eight'", "whole number n"]),
    "no learning rate": (["optimizer.lr=fast"], ["optimizer.lr='fast'", "a number above 0"]),
    "learning rate twice": (["optimizer.lr=[0.1,0.1]"], ["optimizer.lr=[0.1, 0.1]", "different ones"]),
    "batch beyond the data": (["budget.batch_size=5000"], ["budget.batch_size=5000", "1079 training rows", "digits"]),
    "batch of one": (["norm=batch", "budget.batch_size=1"], ["budget.batch_size=1", "'batch'", "at least 2 rows"]),
    "nothing evaluated": (["budget.eval_every_steps=9"], ["budget.eval_every_steps=9", "budget.max_steps=6"]),
    "groups that do not divide": (["norm=group", "norm.num_groups=3"], ["num_groups=3", "8 features", "1, 2, 4"]),
    "no class path": (["norm=custom"], ["norm.class_path has no value"]),
    "class path of no module": (
        ["norm=custom", "norm.class_path=nowhere:Norm"],
        ["norm.class_path=nowhere:Norm", "No module named 'nowhere'"],
    ),
    "class path of no class": (
        ["norm=custom", "norm.class_path=torch.nn:Layernorm"],
        ["has no 'Layernorm'", "did you mean 'LayerNorm'?"],
    ),
    "class path of a class that takes more": (
        ["norm=custom", "norm.class_path=torch.nn:GroupNorm"],
        ["'torch.nn:GroupNorm' needs num_channels beside its first argument num_groups", "def my_norm(num_features)"],
    ),
    "class path of a class that is no module": (
        ["norm=custom", "norm.class_path=collections:OrderedDict"],
        ["norm.class_path=collections:OrderedDict", "the class OrderedDict is no torch.nn.Module"],
    ),
    "class path with a dot for the colon": (
        ["norm=custom", "norm.class_path=torch.nn.LayerNorm"],
        ["package.module:Name", "did you mean 'torch.nn:LayerNorm'?"],
    ),
    "class path without a colon": (["model=custom", "model.class_path=mine"], ["'mine'", "package.module:Name"]),
    "missing folder": (["dataset=fashion_mnist", "dataset.path=nowhere"], ["dataset.path=nowhere", "not a folder"]),
    "a choice without -m": (["norm=none,batch"], ["norm=none,batch", "--multirun"]),
    "half an override": (["norm"], ["'norm'", "missing EQUAL"]),
    "a column with an accent": (
        ["dataset=file", "dataset.target_column=größe"],
        ["quotes: \"dataset.target_column='größe'\""],
    ),
    "a column with brackets": (
        ["dataset=file", "dataset.target_column=price (usd)"],
        ["quotes: \"dataset.target_column='price (usd)'\""],
    ),
    "a sweep that is not closed": (["optimizer.lr=choice(0.1,"], ["'choice(0.1,'"]),
    "unknown axis": (["logger=wandb", "logger.x_axis=steps"], ["logger.x_axis=steps", "did you mean 'step'?"]),
}


@pytest.fixture(scope="module")
def outputs(server: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, Path]]:
    """Exit code, output and folder of every mistake, over one folder in which a cell is finished."""
    found = {}
    small = ("model.hidden=[8,8]", "budget.max_steps=6", "budget.eval_every_steps=3", "budget.batch_size=16")
    for name, (arguments, _) in MISTAKES.items():
        folder = tmp_path_factory.mktemp("mistake")
        run = server.start(*small, "seeds=2", "logger=none", "measure_cost=false", *arguments, folder=folder).wait()
        found[name] = (run.code, run.said, folder)
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_with_one_message(name: str, outputs: dict[str, tuple[int, str, Path]]) -> None:
    code, said, folder = outputs[name]
    assert code == 1, said
    assert "Traceback" not in said
    for part in MISTAKES[name][1]:
        assert said.count(part) == 1, said
    assert len(said.strip().splitlines()) == 1, said
    assert not list(folder.glob("runs/*/seeds-*"))


def test_hydra_full_error_shows_the_traceback(command: Any) -> None:
    for mistake in ("norm=bacth", "seeds=[]"):
        run = command(mistake, HYDRA_FULL_ERROR="1")
        assert run.code == 1
        assert "Traceback (most recent call last)" in run.said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        reason = "this needs the right to mount a file system"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_with_one_message_and_keeps_what_is_finished(command: Any, small_disk: Path) -> None:
    where = f"runs_dir={small_disk / 'runs'}"
    assert command("norm=none", where).code == 0
    fill(small_disk)
    run = command("norm=batch", where)
    assert run.code == 1
    assert "Traceback" not in run.said
    assert "cannot be written (No space left on device): free some space or set runs_dir" in run.said
    (small_disk / "filler").unlink()
    assert [record.norm for record in load_records(small_disk / "runs").records] == ["none"]
    again = command("-m", "norm=none,batch", where)
    assert again.code == 0
    assert again.said.count("nothing to train") == 1


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return


def test_a_read_only_disk_ends_with_one_message_and_still_shows_what_is_finished(
    command: Any, small_disk: Path
) -> None:
    where = f"runs_dir={small_disk / 'runs'}"
    assert command("norm=none", where).code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    run = command("norm=batch", where)
    assert run.code == 1
    assert len(run.said.strip().splitlines()) == 1, run.said
    assert "cannot be written (Read-only file system): make the folder writable or set runs_dir" in run.said
    finished = command("norm=none", where)
    assert finished.code == 0
    assert "2 seeds already finished, nothing to train" in finished.said


def test_a_file_in_the_place_of_runs_dir_is_named(command: Any) -> None:
    (command.folder / "runs").write_text("a file lies here")
    run = command()
    assert run.code == 1
    assert len(run.said.strip().splitlines()) == 1, run.said
    assert "cannot be read: a file lies where a folder is needed; move it or set runs_dir" in run.said
