"""What every test runs under: no account, no network, no plug-ins, the same examples each time in CI."""

import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis
import pytest

# Before anything imports wandb, which decides once per process.
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

# A test run that was started in the background ignores Ctrl-C, and every command under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What a developer has installed is not what is tested here; the tests of plug-ins bring their own.
os.environ["BNBENCH_WITHOUT_PLUGINS"] = "1"

# The machines that run this differ in speed, so no example fails for being slow; in CI a failure must come again.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def write_distribution(
    folder: Path, name: str, files: Mapping[str, str], *, norms: Mapping[str, str] = {}, conf: Mapping[str, str] = {}
) -> None:
    """Leave in a folder of the path what an installed package leaves there; `norms` and `conf` are its entry points."""
    described = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    groups = {"bnbench.norms": norms, "bnbench.conf": conf}
    lines = [line for group, entries in groups.items() for line in (f"[{group}]", *map(" = ".join, entries.items()))]
    for path, text in {
        **{folder / path: text for path, text in files.items()},
        described / "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        described / "entry_points.txt": "\n".join(lines),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def plant() -> Callable[..., None]:
    """Plant a package as installation would, without installing: plant(folder, name, files, norms=…, conf=…)."""
    return write_distribution


@pytest.fixture(scope="session")
def expected_metric() -> Callable[..., float]:
    """What torchmetrics says a metric is: expected_metric(metric, outputs, labels, label_scale=…)."""
    spec = importlib.util.spec_from_file_location("metric_oracles", Path(__file__).parent / "metric_oracles.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.expected_metric


REPOSITORY = Path(__file__).parent.parent


def build_wheel(project: Path, folder: Path) -> Path:
    """Build the wheel of a project with the build back-end of this environment; return its file."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project)]
    subprocess.run(build, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of bnbench."""
    return build_wheel(REPOSITORY, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def example_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the plug-in in examples/."""
    return build_wheel(REPOSITORY / "examples" / "bnbench_median_norm", tmp_path_factory.mktemp("example_wheel"))


@pytest.fixture(scope="session")
def pip() -> Callable[..., None]:
    """pip for another environment: pip(environment, *arguments)."""

    def run(environment: Path, *arguments: str) -> None:
        python = str(environment / "bin" / "python")
        command = [sys.executable, "-m", "pip", "--python", python, *arguments, "--quiet"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    return run


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory, pip: Callable[..., None]) -> Callable[..., Path]:
    """Make an environment with wheels in it; it reaches the dependencies of this one, which saves minutes."""

    def make(*wheels: Path) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        pip(folder, "install", "--no-deps", "--no-index", *map(str, wheels))
        (site_packages,) = folder.glob("lib/python*/site-packages")
        # Not processed recursively: the editable bnbench of this environment stays out of reach.
        (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def run_elsewhere() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of an environment: run_elsewhere(environment, folder, command, *arguments, **variables)."""

    def run(
        environment: Path, folder: Path, command: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(environment / "bin" / command), *arguments],
            cwd=folder,
            env=kept | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
