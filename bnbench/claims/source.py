"""What a claim's result depends on: its own file, the modules of this package that it uses, its experiment."""

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
            digest.update(path.read_bytes())
    if experiment is not None:
        digest.update(experiment_file(experiment).read_bytes())
    return digest.hexdigest()[:LENGTH]


def experiment_file(experiment: str) -> Path:
    """Return where the configuration of an experiment lies."""
    return CONF / "experiment" / f"{experiment}.yaml"


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
