"""What a claim's result depends on: its own file, the modules of this package that it uses, its experiment.

Comments, layout and the minutes it costs decide nothing.
"""

import ast
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from bnbench.claims import catalogue
from bnbench.configuration_packages import CONF

PACKAGE = "bnbench.claims"
# What every claim is written with, and which decides nothing that is measured.
FRAMEWORK = {f"{PACKAGE}.claim"}
JUDGE = f"{PACKAGE}.verdict"
LENGTH = 12


def source_hash(claim_id: str, *, experiment: str | None) -> str:
    """Return the hash of all that decides a claim's result, so that a changed claim is measured again."""
    digest = hashlib.sha256()
    seen: set[str] = set()
    for module in (f"{catalogue.__name__}.{claim_id}", JUDGE):
        for path in _files(module, seen):
            digest.update(deciding(path.read_text(encoding="utf-8")).encode())
    if experiment is not None:
        digest.update("\n".join(experiment_lines(experiment)).encode())
    return digest.hexdigest()[:LENGTH]


def experiment_file(experiment: str) -> Path:
    """Return where the configuration of an experiment lies."""
    return CONF / "experiment" / f"{experiment}.yaml"


def experiment_lines(experiment: str) -> list[str]:
    """Return the lines of an experiment's configuration that are no comments."""
    lines = experiment_file(experiment).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def deciding(source: str) -> str:
    """Return what of a source decides a result.

    >>> deciding("claim(1, cost=2)  # why") == deciding("claim( 1, cost=3 )"), deciding("a = 1") == deciding("a = 2")
    (True, False)
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "cost"]
    return ast.dump(tree)


def _files(module: str, seen: set[str]) -> Iterator[Path]:
    """Yield the file of a module, then those of the modules of this package that it imports."""
    spec = find_spec(module)
    if module in seen or module in FRAMEWORK or spec is None or spec.origin is None:
        return
    seen.add(module)
    path = Path(spec.origin)
    yield path
    for name in sorted(set(_imported(ast.parse(path.read_text(encoding="utf-8"))))):
        yield from _files(name, seen)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}."):
            yield node.module
