"""The plug-in of examples/, installed beside bnbench's wheel in an environment of its own, does all a plug-in can."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bnbench.plugins import WITHOUT_PLUGINS

EXAMPLE = Path(__file__).parent.parent / "examples" / "bnbench_median_norm"
SHORT = ["budget.max_steps=20", "budget.eval_every_steps=10", "seeds=2", "logger=none", "measure_cost=false"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Elsewhere = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(make_environment: Callable[..., Path], wheel: Path, example_wheel: Path) -> Path:
    return make_environment(wheel, example_wheel)


@pytest.fixture
def python(environment: Path, tmp_path: Path, run_elsewhere: Elsewhere) -> Elsewhere:
    """Python of that environment in an empty folder, plug-ins and all."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_elsewhere(environment, tmp_path, "python", *arguments, **{WITHOUT_PLUGINS: "", **variables})

    return run


def test_norm_is_listed_by_the_training_command(python: Elsewhere) -> None:
    done = python("-m", "bnbench.train", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (listed,) = [line for line in done.stdout.splitlines() if line.startswith("norm: ")]
    assert "median_norm" in listed.removeprefix("norm: ").split(", ")


def test_norm_is_listed_with_its_distribution(python: Elsewhere, tmp_path: Path, plant: Callable[..., None]) -> None:
    plant(tmp_path, "bnbench-broken", {"broken_norm.py": "import nothing_there"}, norms={"broken": "broken_norm"})
    plant(tmp_path, "bnbench-empty", {"empty_conf/__init__.py": ""}, conf={"empty": "empty_conf"})
    done = python("-m", "bnbench.check", "--list", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^median_norm +activation +bnbench-median-norm 0\.1\.0 ", done.stdout, re.MULTILINE)
    assert "plug-in 'broken' of bnbench-broken 1.0 cannot be used: " in done.stdout
    assert "plug-in 'empty' of bnbench-empty 1.0 cannot be used: empty_conf holds no yaml file" in done.stdout


def test_norm_comes_onto_the_board_under_its_own_name(python: Elsewhere, tmp_path: Path) -> None:
    done = python("-m", "bnbench.train", "-m", "norm=none,median_norm", *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ +\d+ +median_norm +2 ", done.stdout, re.MULTILINE), done.stdout
    folders = {path.name.rpartition("-")[0] for path in (tmp_path / "runs").glob("digits-*")}
    assert folders == {"digits-none", "digits-median_norm"}


def test_norm_goes_by_its_name_from_python(python: Elsewhere) -> None:
    program = (
        "import bnbench\nfrom sklearn.datasets import load_wine\nX, y = load_wine(return_X_y=True)\n"
        "board = bnbench.compare(['none', 'median_norm'], X, y, seeds=2, max_steps=20, eval_every_steps=10)\n"
        "print(sorted(row.entry for row in board.entries))\n"
        "from bnbench.norms import NORMS\nprint(NORMS.get('median_norm').version)\n"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
    entries, version = done.stdout.splitlines()
    assert entries == "['median_norm', 'none']"
    assert version.endswith(",bnbench-median-norm=0.1.0")


def test_tests_of_the_plugin_pass(python: Elsewhere, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = python("-m", "pytest", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_conformance_test_takes_three_lines() -> None:
    lines = (EXAMPLE / "tests" / "test_conformance.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) == 3


def test_wheel_holds_yaml_and_type_marker(environment: Path) -> None:
    (installed,) = environment.glob("lib/python*/site-packages/bnbench_median_norm")
    assert (installed / "py.typed").exists()
    assert (installed / "conf" / "norm" / "median_norm.yaml").exists()


def test_broken_plugins_beside_it_are_named_and_take_nothing_down(
    python: Elsewhere, tmp_path: Path, plant: Callable[..., None]
) -> None:
    beside = tmp_path / "beside"
    plant(beside, "bnbench-broken", {"broken_norm.py": "import nothing_there"}, norms={"broken": "broken_norm"})
    twice = (EXAMPLE / "bnbench_median_norm" / "median_norm.py").read_text(encoding="utf-8")
    plant(beside, "bnbench-other-median", {"other_median.py": twice}, norms={"median_norm": "other_median"})
    done = python("-m", "bnbench.train", "norm=median_norm", *SHORT, PYTHONPATH=str(beside))
    assert done.returncode == 0, done.stderr
    failed = "ModuleNotFoundError: No module named 'nothing_there'"
    taken = "norm 'median_norm' is already registered by bnbench-median-norm 0.1.0"
    assert done.stderr.splitlines()[:2] == [
        f"warning: plug-in 'broken' of bnbench-broken 1.0 cannot be used: {failed}",
        f"warning: plug-in 'median_norm' of bnbench-other-median 1.0 cannot be used: {taken}",
    ]
    assert "median_norm" in done.stdout


def test_norm_that_was_uninstalled_is_unknown(
    make_environment: Callable[..., Path],
    wheel: Path,
    example_wheel: Path,
    pip: Callable[..., None],
    run_elsewhere: Elsewhere,
    tmp_path: Path,
) -> None:
    environment = make_environment(wheel, example_wheel)
    pip(environment, "uninstall", "--yes", "bnbench-median-norm")
    arguments = ("-m", "bnbench.train", "norm=median_norm", *SHORT)
    done = run_elsewhere(environment, tmp_path, "python", *arguments, **{WITHOUT_PLUGINS: ""})
    assert done.returncode == 1
    assert done.stderr.startswith("norm=median_norm is unknown; ")
    assert "batch" in done.stderr
    assert "Traceback" not in done.stderr
