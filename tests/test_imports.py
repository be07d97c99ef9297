"""Imports point downward only, and the half that reads runs never pays for torch, lightning or hydra."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bnbench"

# From the bottom up; a module may import from its own layer and from those below. The package (`bnbench/__init__.py`)
# is the top: it offers what users call.
LAYERS = (
    (
        "errors",
        "command_line",
        "plugins",
        "registry",
        "seeding",
        "config",
        "config_errors",
        "configuration_packages",
        "class_path",
        "source_version",
        "functional",
        "metric_facts",
        "free_memory",
        "introduction_defaults",
        "rate_grid",
        "wandb_run",
        "secret_values",
    ),
    ("norms", "datasets", "models", "records"),
    ("training", "scoring"),
    ("reports", "conformance"),
    ("workers", "launchers", "follower"),
    (
        "sweep",
        "search_path",
        "winner",
        "runs_commands",
        "range_extension",
        "dry_run",
        "sweep_size",
        "sweep_progress",
        "finished_jobs",
        "configuration_sources",
    ),
    ("train", "leaderboard", "check", "cost", "fetch", "claims", "runs", "compare_norms"),
    ("", "__main__"),
)
# Within its layer each of these stands alone: data never asks a norm, records never ask a model.
SEPARATE = {"norms", "datasets", "models", "records", "training", "scoring", "reports"}
# But one module puts a network together: it asks for the norm that was chosen, and hands the models a `make_norm`.
SIDEWAYS = {("bnbench.models.build", "bnbench.norms")}
# The typed configuration is assembled from the schemas that live beside what they configure.
SCHEMAS_OF_CONFIG = {"bnbench.config": {"bnbench.datasets.schema"}}
# The halves meet on disk only.
READING = ("records", "scoring", "reports", "leaderboard", "runs", "runs_commands")
HEAVY = {
    "torch",
    "lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "torchmetrics",
    "hydra",
    "omegaconf",
    "sklearn",
    "wandb",
}
# What only `leaderboard --wandb` loads: tests/scoring/test_wandb_board.py holds that nothing else does.
ON_REQUEST = {"bnbench.reports.weights_and_biases", "bnbench.wandb_run"}
# Imports inside a function: (module, imported): why. Only optional extras that are costly to import.
INSIDE_FUNCTIONS: dict[tuple[str, str], str] = {
    ("bnbench.launchers", "ray"): "an extra that takes a second, for those whose jobs it runs",
    ("bnbench.wandb_run", "wandb"): "a second of start-up, and all else works where it is missing",
    ("bnbench.cost", "bnbench"): "--help and a mistyped name must not wait for torch",
    ("bnbench.check", "bnbench"): "--help and a mistyped option must not wait for torch",
    ("bnbench.leaderboard", "bnbench"): "only a page needs its templates and the chart library",
    ("bnbench", "bnbench"): "the package's face is lazy, or `import bnbench.records` would load torch",
}


@dataclass(frozen=True)
class Import:
    module: str
    imported: str
    line: int
    inside_function: bool


def module_name(path: Path) -> str:
    parts = ("bnbench", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def imports_in(node: ast.AST, module: str, *, inside_function: bool = False) -> list[Import]:
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found += [Import(module, name, child.lineno, inside_function) for name in names_in(child, module)]
        if not is_for_types_only(child):
            within = inside_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            found += imports_in(child, module, inside_function=within)
    return found


def names_in(node: ast.Import | ast.ImportFrom, module: str) -> list[str]:
    """`from package import name` imports the module `package.name` where there is one, else `package`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        is_package = modules()[module].name == "__init__.py"
        parts = module.split(".")
        parents = parts[: len(parts) - node.level + is_package]
        base = ".".join([*parents, base] if base else parents)
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base for alias in node.names]


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(
        found
        for module, path in modules().items()
        for found in imports_in(ast.parse(path.read_text(encoding="utf-8")), module)
    )


def own_imports() -> list[Import]:
    return [found for found in all_imports() if found.imported.split(".")[0] == "bnbench"]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    (level,) = [level for level, rooms in enumerate(LAYERS) if room(module) in rooms]
    return level


def shown(imports: list[Import]) -> str:
    return "\n".join(f"{found.module}:{found.line} imports {found.imported}" for found in imports)


def test_every_module_has_a_layer() -> None:
    homeless = [module for module in modules() if not any(room(module) in rooms for rooms in LAYERS)]
    assert not homeless, f"give these a place in LAYERS: {homeless}"


def test_imports_point_downward_only() -> None:
    upward = [
        found
        for found in own_imports()
        if layer(found.imported) > layer(found.module) and found.imported not in SCHEMAS_OF_CONFIG.get(found.module, ())
    ]
    assert not upward, shown(upward)


def test_rooms_of_one_layer_do_not_know_each_other() -> None:
    sideways = [
        found
        for found in own_imports()
        if room(found.module) in SEPARATE and room(found.imported) in SEPARATE
        if layer(found.module) == layer(found.imported) and room(found.module) != room(found.imported)
        if (found.module, found.imported) not in SIDEWAYS
    ]
    assert not sideways, shown(sideways)


def test_no_import_cycles() -> None:
    targets = {module: {found.imported for found in own_imports() if found.module == module} for module in modules()}
    # A leaf has no imports left: take leaves away until none is left; what stays is in a cycle or imports one.
    while leaves := {module for module, imported in targets.items() if not imported - {module}}:
        targets = {module: imported - leaves for module, imported in targets.items() if module not in leaves}
    assert not targets, f"in a cycle, or importing one: {sorted(targets)}"


def test_imports_inside_functions_are_optional_extras_on_the_list() -> None:
    hidden = [
        found
        for found in all_imports()
        if found.inside_function and (found.module, found.imported.split(".")[0]) not in INSIDE_FUNCTIONS
    ]
    assert not hidden, shown(hidden)


@pytest.mark.parametrize("reading", READING)
def test_reading_half_does_not_import_the_training_half(reading: str) -> None:
    """Follow the imports through our own modules: none of them names a heavy package."""
    reached = {module for module in modules() if room(module) == reading} - ON_REQUEST
    assert reached, f"bnbench.{reading} is missing"
    while further := {found.imported for found in own_imports() if found.module in reached} - reached - ON_REQUEST:
        reached |= further
    heavy = [found for found in all_imports() if found.module in reached and found.imported.split(".")[0] in HEAVY]
    assert not heavy, shown(heavy)


@pytest.mark.parametrize("module", [f"bnbench.{reading}" for reading in READING])
def test_reading_half_loads_nothing_heavy_when_really_imported(module: str) -> None:
    """The same through other people's packages too: what a fresh interpreter holds after the import."""
    program = f"import sys, {module}; print(*(sys.modules.keys() & {sorted(HEAVY)!r}))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert result.stdout.split() == []
