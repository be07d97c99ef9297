"""What is claimed about versions is what is tested, and the wheel runs anywhere with its configuration inside."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
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


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_floor_is_the_version_that_is_tested(requirement: str) -> None:
    name, floor = requirement.split(">=")
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("bnbench-*.whl")
    return built


@pytest.fixture(scope="module")
def other_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second environment with the wheel in it; it reaches the dependencies of this one, which saves minutes."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, stdin=subprocess.DEVNULL)
    python = str(folder / "bin" / "python")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        str(wheel),
    ]
    subprocess.run(install, check=True, stdin=subprocess.DEVNULL)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # Not processed recursively: the editable bnbench of this environment stays out of reach.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder


def run_elsewhere(environment: Path, folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(environment / "bin" / command), *arguments],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_wheel_holds_the_configuration_and_the_type_marker(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"bnbench/conf/{path.relative_to(REPOSITORY / 'conf')}" for path in (REPOSITORY / "conf").rglob("*.yaml")
    }
    assert expected
    assert expected <= packed
    assert {"bnbench/py.typed", "bnbench/records/run.schema.json"} <= packed


@pytest.mark.slow
def test_installed_package_is_the_one_that_runs(other_environment: Path, tmp_path: Path) -> None:
    result = run_elsewhere(other_environment, tmp_path, "python", "-c", "import bnbench; print(bnbench.__file__)")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).is_relative_to(other_environment)


@pytest.mark.slow
def test_leaderboard_command_runs_from_any_folder(other_environment: Path, tmp_path: Path) -> None:
    result = run_elsewhere(other_environment, tmp_path, "bnbench-leaderboard", "--help")
    assert result.returncode == 0, result.stderr
    assert "--target" in result.stdout


@pytest.mark.slow
def test_train_command_composes_the_packaged_configuration_from_any_folder(
    other_environment: Path, tmp_path: Path
) -> None:
    result = run_elsewhere(other_environment, tmp_path, "bnbench-train", "--cfg", "job")
    assert result.returncode == 0, result.stderr
    assert "dataset:" in result.stdout
