"""What is claimed about versions is what is tested, and the wheel runs anywhere with its configuration inside."""

import re
import subprocess
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [
    requirement
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in group
    if not requirement.startswith("bnbench[")
]
PINS = dict(
    re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
)

RunElsewhere = Callable[..., subprocess.CompletedProcess[str]]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_floor_is_the_version_that_is_tested(requirement: str) -> None:
    name, floor = requirement.split(",")[0].split(">=")
    pins = {normalised(pinned): version for pinned, version in PINS.items()}
    assert floor == ".".join(pins[normalised(name)].split(".")[:2])


def test_constraints_are_exact_versions_without_places() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    inexact = [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==\d[\w.]*", line)]
    assert not inexact


def test_version_is_the_same_wherever_it_is_written() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {PROJECT['version']}\n" in citation


@pytest.fixture(scope="module")
def other_environment(make_environment: Callable[..., Path], wheel: Path) -> Path:
    """A second environment with the wheel in it."""
    return make_environment(wheel)


@pytest.mark.slow
def test_wheel_holds_the_configuration_and_the_type_marker(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"bnbench/conf/{path.relative_to(REPOSITORY / 'conf')}" for path in (REPOSITORY / "conf").rglob("*.yaml")
    }
    assert expected
    assert expected <= packed
    page = {
        path.relative_to(REPOSITORY).as_posix()
        for report in ("reports/page", "claims/report")
        for folder in ("assets", "templates")
        for path in (REPOSITORY / "bnbench" / report / folder).iterdir()
    }
    assert {path.rpartition(".")[2] for path in page} == {"css", "js", "jinja"}
    assert page <= packed
    assert {"bnbench/py.typed", *(f"bnbench/records/{name}.schema.json" for name in ("run", "costs"))} <= packed


@pytest.mark.slow
def test_installed_package_is_the_one_that_runs(
    other_environment: Path, tmp_path: Path, run_elsewhere: RunElsewhere
) -> None:
    result = run_elsewhere(other_environment, tmp_path, "python", "-c", "import bnbench; print(bnbench.__file__)")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).is_relative_to(other_environment)


@pytest.mark.slow
def test_leaderboard_command_runs_from_any_folder(
    other_environment: Path, tmp_path: Path, run_elsewhere: RunElsewhere
) -> None:
    result = run_elsewhere(other_environment, tmp_path, "bnbench-leaderboard", "--help")
    assert result.returncode == 0, result.stderr
    assert "--target" in result.stdout


@pytest.mark.slow
def test_train_command_composes_the_packaged_configuration_from_any_folder(
    other_environment: Path, tmp_path: Path, run_elsewhere: RunElsewhere
) -> None:
    result = run_elsewhere(other_environment, tmp_path, "bnbench-train", "--cfg", "job")
    assert result.returncode == 0, result.stderr
    assert "dataset:" in result.stdout
