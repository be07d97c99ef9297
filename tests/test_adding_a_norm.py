"""docs/adding_a_norm.md is followed to the letter, in an empty folder and an environment of its own."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bnbench.plugins import WITHOUT_PLUGINS

PAGE = Path(__file__).parent.parent / "docs" / "adding_a_norm.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w/]+\.(?:py|yaml|toml))`")
BY_PATH = "absolute_norm:AbsoluteNorm(eps=0.001)"
# the same work in little, and nothing fetched: what it builds with is in this environment
SHORT = {
    "bnbench.train": [
        "budget.max_steps=20",
        "budget.eval_every_steps=10",
        "seeds=2",
        "logger=none",
        "measure_cost=false",
    ],
    "pip": ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"],
}


def steps() -> list[tuple[str, str]]:
    """Return what the page has one do, in order: (command, "") or (file, content)."""
    found, end = [], 0
    text = PAGE.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        language, content = block.groups()
        if language == "console":
            found += [(command, "") for command in content.splitlines()]
        else:
            found.append((FILE.findall(text[end : block.start()])[-1], content))
        end = block.end()
    return found


def shortened(command: str) -> list[str]:
    words = shlex.split(command)
    module = words[2] if words[:2] == ["python", "-m"] else ""
    return words if "--help" in words else [*words, *SHORT.get(module, [])]


def entries(text: str) -> set[str]:
    """Return the entries of a board, as a table or as the text of compare()."""
    return set(re.findall(r"^ +\d+(?= |\.)\.? +(\S+?)(?:: | +\d+ )", text, re.MULTILINE))


def test_page_names_only_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_page_leads_to_a_norm_on_the_board(make_environment: Callable[..., Path], wheel: Path, tmp_path: Path) -> None:
    environment = make_environment(wheel)
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said: dict[str, str] = {}
    for what, content in steps():
        if content:
            (tmp_path / what).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / what).write_text(content, encoding="utf-8")
            continue
        done = subprocess.run(
            ["/usr/bin/env", *shortened(what)],
            cwd=tmp_path,
            env=variables | {"PATH": path, WITHOUT_PLUGINS: "", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{what}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{what}\n{done.stderr}"
        said[what] = done.stdout
    assert [found for found in map(entries, said.values()) if found] == [
        {BY_PATH},
        {"none"},
        {BY_PATH, "none"},
        {"absolute", "none"},
        {"none", "layer", "absolute"},
        {"none", "absolute"},
        {"none", "layer", "absolute"},
    ]
    (listed,) = [line for line in said["python -m bnbench.train --help"].splitlines() if line.startswith("norm: ")]
    assert "absolute" in listed.removeprefix("norm: ").split(", ")
    assert "1 passed" in said["python -m pytest bnbench_absolute/tests"]
