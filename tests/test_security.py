"""What strangers send is data, never code; what a user keeps secret is never written down."""

import ast
import json
from pathlib import Path

import pytest

from bnbench.records import run_ids, write_record
from bnbench.records.layout import cell_folder, record_folder
from bnbench.secret_values import looks_secret, masked, masked_override
from bnbench.sweep import command_of

PACKAGE = Path(__file__).parent.parent / "bnbench"
KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"

PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
# But for these names of them, which read nothing: how many processors there are, and the workers of a sweep.
ENGINES = {
    ("launchers", "joblib"): {"cpu_count"},
    ("launchers", "joblib.externals.loky"): {"get_reusable_executor"},
}
# What runs code, or pickles, when it reads: by the last names of the call.
RUN_CODE = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "torch.load",
    "torch.save",
    "joblib.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "runpy.run_path",
}
# (module, call): why. The only code that is run is what this package has just written itself.
ALLOWED = {
    ("winner", "exec"): "the take-away code is tried before it is printed; names in it are written by repr",
    ("winner", "compile"): "the same",
    ("winner", "eval"): "the line that reads the user's own table, before the take-away code says it",
}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in found]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_nothing_imports_a_pickle() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found = PICKLES.intersection(name.split(".")[0] for name in names)
            if found and (path.stem, names[0]) in ENGINES:
                assert {alias.name for alias in node.names} == ENGINES[path.stem, names[0]]
                continue
            assert not found, path


def test_nothing_runs_code_that_it_reads() -> None:
    found = {(path.stem, name) for path in sources() for name, _ in calls(path) if name in RUN_CODE}
    assert found == set(ALLOWED)


def test_no_array_may_hold_pickled_objects() -> None:
    reading = [(path, node) for path in sources() for name, node in calls(path) if name in ("np.load", "numpy.load")]
    assert reading, "the test would find nothing if np.load had another name"
    for path, node in reading:
        allowed = [word.value for word in node.keywords if word.arg == "allow_pickle"]
        assert [ast.unparse(value) for value in allowed] == ["False"], path
    everywhere = [word for path in sources() for _, node in calls(path) for word in node.keywords]
    assert not [word for word in everywhere if word.arg == "allow_pickle" and ast.unparse(word.value) != "False"]
    assert not [word for word in everywhere if word.arg == "shell" and ast.unparse(word.value) != "False"]
    assert not [word for word in everywhere if word.arg == "weights_only" and ast.unparse(word.value) != "True"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("WANDB_API_KEY", True),
        ("GITHUB_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("logger.api_key", True),
        ("norm.password", True),
        ("PGPASSWORD", False),  # no word of its own: the price of leaving `compass_word` alone
        ("num_tokens", False),
        ("keyboard", False),
        ("token_width", False),
        ("dataset.target_column", False),
    ],
)
def test_a_secret_is_known_by_its_name(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


@pytest.mark.parametrize(
    "text",
    [
        f"logger.api_key={KEY}",
        f"+norm.options.token='{KEY}'",
        f"WANDB_API_KEY={KEY} python -m bnbench.train",
        f"password: {KEY}",
        f'{{"api_key": "{KEY}"}}',
        f"https://me:{KEY}@example.org/table.csv",
        f"login failed for {KEY}",
    ],
)
def test_a_secret_is_masked_in_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY if text.startswith("login") else "")
    assert KEY not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize("text", ["norm.num_tokens=64", "token=cls", "optimizer.lr=[0.1,0.3]", "norm.token=0.12345678"])
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == masked_override(text) == text


def test_the_command_of_a_job_is_kept_without_its_secrets() -> None:
    command = command_of(["norm=batch", f"+logger.api_key={KEY} {KEY}", "seeds=3"])
    assert command == "python -m bnbench.train norm=batch '+logger.api_key=***' seeds=3"


def test_a_record_keeps_no_secret_that_an_error_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", KEY)
    identity = {"workload": {"lr": 0.1}, "entry": {"norm": "batch"}}
    cell_id, workload_id = run_ids(identity)
    record = {
        "schema_version": 1,
        "cell_id": cell_id,
        "workload_id": workload_id,
        "workload": "digits",
        "entry": "batch",
        "norm": "batch",
        "dataset": "digits",
        "experiments": [],
        "track": "recipe",
        "status": "failed",
        "config": {"note": f"password={KEY}"},
        "identity": identity,
        "metric": {"name": "accuracy", "direction": "max", "trivial": 0.1},
        "targets": None,
        "seeds": [{"seed": 0, "status": "failed"}],
        "rows": 0,
        "timing": {"train_seconds": 0.0, "replicas": 1, "steps": 0},
        "environment": {"command": f"python -m bnbench.train logger.api_key={KEY}"},
        "error": {"type": "ValueError", "message": f"no access with {KEY}", "traceback": f"line\n  {KEY}\n"},
    }
    folder = record_folder(cell_folder(tmp_path, dataset="digits", norm="batch", cell_id=cell_id), [0])
    write_record(folder, record, None)
    text = (folder / "run.json").read_text()
    assert KEY not in text
    assert json.loads(text)["error"]["message"] == "no access with ***"
