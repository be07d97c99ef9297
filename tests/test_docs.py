"""The README's blocks run as they stand: Python in one namespace, commands in one folder, in the order of the page."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# the same work in little: what a command trains is tested elsewhere
SHORT = ["budget.max_steps=20", "budget.eval_every_steps=10", "seeds=2", "logger=none", "measure_cost=false"]


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(README.read_text()) if found == kind]


def commands() -> list[str]:
    return [line for block in blocks("console") for line in block.splitlines() if line.strip()]


def test_readme_has_blocks_of_both_kinds_and_nothing_but_our_commands() -> None:
    assert len(blocks("python")) >= 2
    assert len(commands()) >= 8
    assert all(command.startswith("python -m bnbench.") for command in commands())


def test_readme_names_only_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readme_blocks_run(tmp_path: Path) -> None:
    environment = os.environ | {"WANDB_MODE": "offline"}
    for number, block in enumerate(blocks("python")):
        name = "my_network.py" if "def two_towers" in block else f"block_{number}.py"
        (tmp_path / name).write_text(block)
        run([sys.executable, name], tmp_path, environment)
    for command in commands():
        words = shlex.split(command)
        short = SHORT if words[2] == "bnbench.train" else []
        output = run([sys.executable, *words[1:], *short], tmp_path, environment)
        if words[2] == "bnbench.train":
            # in little, two commands of the page may ask for the same cells; my_table trains 3 more seeds to tune on
            seeds = 5 if "+experiment=my_table" in words else 2
            assert f"trained {seeds} seeds" in output or f"{seeds} seeds already finished" in output, command
    assert (tmp_path / "board.json").exists()


def run(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, f"{shlex.join(words)}\n{done.stderr}"
    return done.stdout
