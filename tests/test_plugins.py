"""Plug-ins: found by their entry points, loaded on their own, and reported by name where they fail."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import nn

from bnbench import UserError, plugins
from bnbench import norm as register
from bnbench.norms import NORMS, choose_norm
from bnbench.norms.description import describe
from bnbench.plugins import BrokenPlugin, broken_plugins, describe_broken

ROOT = Path(__file__).parent.parent
BUILT_IN = NORMS.names()
SOURCE = """
from torch import nn
from bnbench import norm

@norm("{name}")
class Planted(nn.Identity):
    def __init__(self, num_features, *, scale=1.0):
        super().__init__()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the path with packages in it, and a registry that has not looked for any yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.delenv(plugins.WITHOUT_PLUGINS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(plugins, "_BROKEN", [])
    monkeypatch.setattr(NORMS, "_entries", {name: NORMS.get(name) for name in BUILT_IN})
    monkeypatch.setattr(NORMS, "_distributions", {})
    monkeypatch.setattr(NORMS, "_plugins_loaded", False)
    yield folder
    for name in [name for name, module in sys.modules.items() if str(folder) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


Plant = Callable[..., None]


def reasons() -> dict[str, str]:
    return {broken.name: broken.reason for broken in broken_plugins()}


def test_norm_of_a_plugin_is_found_by_its_name(site: Path, plant: Plant) -> None:
    files = {"planted/__init__.py": SOURCE.format(name="planted"), "other.py": SOURCE.format(name="other")}
    plant(site, "bnbench-planted", files, norms={"planted": "planted:Planted", "other": "other"})
    assert set(NORMS.names()) == {*BUILT_IN, "planted", "other"}
    assert choose_norm({"name": "planted", "scale": 2.0}).entry == "planted(scale=2)"
    assert NORMS.distribution("planted") == "bnbench-planted 1.0"
    assert NORMS.distribution("batch") == "bnbench"
    assert broken_plugins() == ()
    with pytest.raises(UserError, match="unknown norm 'plantd'; did you mean 'planted'"):
        NORMS.get("plantd")


def test_one_module_may_bring_several_norms(site: Path, plant: Plant) -> None:
    source = SOURCE.format(name="one") + SOURCE.format(name="two").replace("Planted", "Second")
    plant(site, "bnbench-pair", {"pair.py": source}, norms={"one": "pair", "two": "pair"})
    assert {"one", "two"} <= set(NORMS.names())
    assert broken_plugins() == ()


def test_version_of_a_plugin_names_its_distribution_s_source(site: Path, plant: Plant) -> None:
    versions = set()
    for name in ("first", "second"):
        plant(site, f"bnbench-{name}", {f"{name}.py": SOURCE.format(name=name)}, norms={name: name})
    versions = {NORMS.get(name).version for name in ("first", "second")}
    assert len(versions) == 2
    assert all(isinstance(version, str) for version in versions)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('at import,\\nin two lines')", "RuntimeError: at import, in two lines"),
        ("def broken(:", "SyntaxError: "),
        ("import no_such_dependency", "ModuleNotFoundError: No module named 'no_such_dependency'"),
        ("import sys; sys.exit('gone')", "SystemExit: gone"),
        ("class PanicException(BaseException): pass\nraise PanicException('in rust')", "PanicException: in rust"),
        ("import pytest\npytest.importorskip('no_such_dependency')", "Skipped: could not import"),
        (SOURCE.format(name="planted") + "\n1 / 0", "ZeroDivisionError: "),
        (SOURCE.format(name="pl anted"), "UserError: a norm cannot be named 'pl anted'"),
        (SOURCE.format(name="another"), "planted registered no norm 'planted'; it registered another"),
        ("", "planted registered no norm 'planted'"),
    ],
)
def test_plugin_that_fails_is_reported_by_name_and_takes_nothing_down(
    site: Path, plant: Plant, source: str, said: str
) -> None:
    plant(site, "bnbench-broken", {"planted.py": source}, norms={"planted": "planted"})
    plant(site, "bnbench-sound", {"sound.py": SOURCE.format(name="sound")}, norms={"sound": "sound"})
    assert {*BUILT_IN, "sound"} <= set(NORMS.names())
    assert "planted" not in NORMS.names()
    (broken,) = broken_plugins()
    assert (broken.name, broken.distribution) == ("planted", "bnbench-broken 1.0")
    assert broken.reason.startswith(said)
    assert "\n" not in broken.reason
    with pytest.raises(UserError, match=r"^norm 'planted' is installed by bnbench-broken 1.0 and cannot be used: "):
        NORMS.get("planted")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("planted:Missing", "AttributeError: module 'planted' has no attribute 'Missing'"),
        ("nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("planted:nothing", "planted:nothing is None"),
        ("my module!", "its value 'my module!' is not of the form package.module or package.module:object"),
    ],
)
def test_entry_point_of_nothing_is_reported(site: Path, plant: Plant, value: str, said: str) -> None:
    source = SOURCE.format(name="planted") + "\nnothing = None\n"
    plant(site, "bnbench-broken", {"planted.py": source}, norms={"planted": value})
    assert "planted" not in NORMS.names()
    assert reasons() == {"planted": said}


def test_name_of_a_built_in_norm_is_refused(site: Path, plant: Plant) -> None:
    batch = NORMS.get("batch")
    NORMS._plugins_loaded = False
    plant(site, "bnbench-second", {"second.py": SOURCE.format(name="batch")}, norms={"batch": "second"})
    assert NORMS.get("batch") is batch
    assert reasons() == {"batch": "norm 'batch' is already registered by bnbench"}
    assert describe_broken(broken_plugins()) == [
        "plug-in 'batch' of bnbench-second 1.0 cannot be used: norm 'batch' is already registered by bnbench"
    ]


def test_name_of_another_plugin_is_refused_to_the_second_whatever_their_order_on_disk(site: Path, plant: Plant) -> None:
    for name in ("zebra", "aardvark"):
        plant(site, f"bnbench-{name}", {f"{name}.py": SOURCE.format(name="same")}, norms={"same": name})
    assert NORMS.get("same").factory.__module__ == "aardvark"
    assert broken_plugins() == (
        BrokenPlugin(
            "same", "bnbench-zebra 1.0", "norm 'same' is already registered by bnbench-aardvark 1.0", "bnbench.norms"
        ),
    )


def test_name_taken_behind_the_back_of_the_entry_point_is_refused(site: Path, plant: Plant) -> None:
    source = SOURCE.format(name="honest") + SOURCE.format(name="batch").replace("Planted", "Second")
    plant(site, "bnbench-sly", {"sly.py": source}, norms={"honest": "sly"})
    assert NORMS.names() == BUILT_IN
    assert NORMS.get("batch").factory.__module__ == "bnbench.norms.batch"
    expected = "ValueError: norm 'batch' is registered twice: bnbench.norms.batch:Batch and sly:Second"
    assert reasons() == {"honest": expected}


def test_plugin_imported_before_the_registry_is_looked_into_is_no_second_one(site: Path, plant: Plant) -> None:
    plant(site, "bnbench-early", {"early.py": SOURCE.format(name="early")}, norms={"early": "early"})
    importlib.import_module("early")
    assert NORMS.distribution("early") == "bnbench-early 1.0"
    assert broken_plugins() == ()


def test_plugin_may_look_into_the_registry_while_it_is_imported(site: Path, plant: Plant) -> None:
    source = "from bnbench.norms import NORMS\nSEEN = NORMS.names()\n" + SOURCE.format(name="curious")
    plant(site, "bnbench-curious", {"curious.py": source}, norms={"curious": "curious"})
    assert "curious" in NORMS.names()
    assert "batch" in importlib.import_module("curious").SEEN


def test_plugin_that_registers_after_it_was_looked_at_is_sound(site: Path, plant: Plant) -> None:
    """It is imported by the user, and looks into the registry first."""
    source = "from bnbench.norms import NORMS\nNORMS.names()\n" + SOURCE.format(name="curious")
    plant(site, "bnbench-curious", {"curious.py": source}, norms={"curious": "curious"})
    importlib.import_module("curious")
    assert NORMS.distribution("curious") == "bnbench-curious 1.0"
    assert broken_plugins() == ()


@pytest.mark.parametrize("fails", [False, True])
def test_plugin_that_imports_another_leaves_it_its_norm(site: Path, plant: Plant, fails: bool) -> None:
    source = "import sound\n" + ("1 / 0" if fails else SOURCE.format(name="built_on_it"))
    plant(site, "a-extension", {"extension.py": source}, norms={"built_on_it": "extension"})
    plant(site, "bnbench-sound", {"sound.py": SOURCE.format(name="sound")}, norms={"sound": "sound"})
    assert NORMS.distribution("sound") == "bnbench-sound 1.0"
    assert ("built_on_it" in NORMS.names()) is not fails
    assert reasons() == ({"built_on_it": "ZeroDivisionError: division by zero"} if fails else {})


def test_plugin_of_the_same_package_as_one_that_fails_is_found(site: Path, plant: Plant) -> None:
    files = {"pair/__init__.py": "", "pair/first.py": "import pair.second\n" + SOURCE.format(name="first") + "1 / 0\n"}
    files["pair/second.py"] = SOURCE.format(name="second")
    plant(site, "bnbench-pair", files, norms={"first": "pair.first", "second": "pair.second"})
    assert set(NORMS.names()) == {*BUILT_IN, "second"}
    assert NORMS.distribution("second") == "bnbench-pair 1.0"


@pytest.mark.parametrize("stop", ["KeyboardInterrupt", "GeneratorExit"])
def test_interrupted_look_starts_over(site: Path, plant: Plant, stop: str) -> None:
    source = f"import os\nif not os.environ.get('GO_ON'):\n    raise {stop}\n" + SOURCE.format(name="slow")
    plant(site, "a-failing", {"failing.py": "1 / 0"}, norms={"failing": "failing"})
    plant(site, "bnbench-slow", {"slow.py": source}, norms={"slow": "slow"})
    plant(site, "bnbench-sound", {"sound.py": SOURCE.format(name="sound")}, norms={"sound": "sound"})
    with pytest.raises((KeyboardInterrupt, GeneratorExit)):
        NORMS.names()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GO_ON", "1")
        assert set(NORMS.names()) == {*BUILT_IN, "slow", "sound"}
    assert [broken.name for broken in broken_plugins()] == ["failing"]


def test_norm_without_a_docstring_has_no_description_of_another_class(site: Path, plant: Plant) -> None:
    plant(site, "bnbench-planted", {"planted.py": SOURCE.format(name="planted")}, norms={"planted": "planted"})
    assert describe(NORMS.get("planted")).summary == ""


WRAPPED = """
import functools
from bnbench import norm
from bnbench.norms.batch import Batch

@norm("{name}")
@functools.wraps(Batch)
def better(num_features, **options):
    return Batch(num_features, **options)
"""


def test_function_that_says_to_be_a_built_in_norm_replaces_none(site: Path, plant: Plant) -> None:
    plant(site, "bnbench-sly", {"sly.py": WRAPPED.format(name="batch")}, norms={"honest": "sly"})
    assert isinstance(NORMS.get("batch").factory, type)
    assert reasons() == {
        "honest": "ValueError: norm 'batch' is registered twice: bnbench.norms.batch:Batch and sly:better"
    }


def test_built_in_class_registered_again_by_a_plugin_replaces_none(site: Path, plant: Plant) -> None:
    source = "from bnbench import norm\nfrom bnbench.norms.batch import Batch\nnorm('batch', version=7)(Batch)\n"
    plant(site, "bnbench-sly", {"sly.py": source}, norms={"honest": "sly"})
    assert NORMS.get("batch").version == 1
    said = "bnbench.norms.batch:Batch in bnbench.norms.batch and bnbench.norms.batch:Batch in sly"
    assert reasons() == {"honest": f"ValueError: norm 'batch' is registered twice: {said}"}


def test_wrapped_built_in_norm_of_a_plugin_has_the_version_of_the_plugin(site: Path, plant: Plant) -> None:
    edited = WRAPPED.format(name="second") + "# edited\n"
    files = {"first.py": WRAPPED.format(name="first"), "second.py": edited}
    plant(site, "bnbench-wrapped", files, norms={"first": "first", "second": "second"})
    versions = [NORMS.get(name).version for name in ("first", "second")]
    assert versions[0] != versions[1]
    assert 1 not in versions


def test_built_in_norm_keeps_its_name_where_a_plugin_gives_it_another(site: Path, plant: Plant) -> None:
    source = "from bnbench import norm\nfrom bnbench.norms.layer import layer\nnorm('aaa')(layer)\n"
    plant(site, "bnbench-alias", {"alias.py": source}, norms={"aaa": "alias"})
    assert choose_norm({"name": "custom", "class_path": "bnbench.norms.layer:layer"}).entry == "layer"
    assert choose_norm({"name": "aaa"}).entry == "aaa"


def test_plugins_are_left_alone_where_the_environment_says_so(
    site: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.WITHOUT_PLUGINS, "1")
    plant(site, "bnbench-broken", {"planted.py": "1 / 0"}, norms={"planted": "planted"})
    assert NORMS.names() == BUILT_IN
    assert broken_plugins() == ()


@pytest.mark.parametrize(
    "script",
    [
        "import bnbench.norms, sys; print('planted' in sys.modules); print('planted' in bnbench.norms.NORMS.names())",
        "import planted, sys; print(False); from bnbench.norms import NORMS; print('planted' in NORMS.names())",
        "import sys; from bnbench import norm; import planted; print(False); print(True)",
    ],
    ids=["bnbench first", "plug-in first", "plug-in alone"],
)
def test_plugin_and_bnbench_may_be_imported_in_any_order(tmp_path: Path, plant: Plant, script: str) -> None:
    """In a process of its own: importing bnbench imports no plug-in, and no order is a cycle."""
    files = {"planted/__init__.py": "from planted.layer import Planted\n"}
    files["planted/layer.py"] = SOURCE.format(name="planted").replace(
        "from bnbench import", "from bnbench.norms import"
    )
    plant(tmp_path, "bnbench-planted", files, norms={"planted": "planted"})
    script += "\nfrom bnbench.plugins import broken_plugins; print(broken_plugins())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), plugins.WITHOUT_PLUGINS: ""}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["False", "True", "()"]


BAD_NAMES = [
    "../x",
    "a=b",
    "my norm",
    "My_norm",
    "",
    "1norm",
    "_norm",
    "norm-x",
    "n" * 65,
    "norm\n",
    "custom",
    "null",
    "on",
]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_that_could_not_be_a_file_or_a_choice_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"a norm cannot be named .*: expected a-z, 0-9 and _, a letter first"):
        register(name)
    assert NORMS.names() == BUILT_IN


@pytest.mark.usefixtures("site")
def test_norm_written_again_replaces_itself_and_no_other() -> None:
    """As where the cell of a notebook is run again."""
    names: list[dict[str, type[nn.Module]]] = [{}, {}]
    for number, space in enumerate(names):
        source = f"from torch import nn\nclass Mine(nn.Identity):\n    number = {number}\n"
        exec(source, {"__name__": "cell"}, space)
        register("mine", version=number)(space["Mine"])
    assert NORMS.get("mine").version == 1
    with pytest.raises(ValueError, match=r"norm 'mine' is registered twice: cell:Mine and torch\.nn"):
        register("mine")(nn.LayerNorm)
    assert NORMS.get("mine").version == 1


def test_plugins_that_fail_for_one_reason_take_one_line() -> None:
    broken = [BrokenPlugin(name, "x 1.0", reason, "bnbench.norms") for name, reason in zip("abac", "1121", strict=True)]
    assert describe_broken(broken) == [
        "plug-in 'a', 'b', 'c' of x 1.0 cannot be used: 1",
        "plug-in 'a' of x 1.0 cannot be used: 2",
    ]
