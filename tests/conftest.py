"""What every test runs under: no account, no network, no plug-ins, the same examples each time in CI."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis
import pytest

# Before anything imports wandb, which decides once per process.
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

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
