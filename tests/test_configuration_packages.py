"""The configuration of plug-ins: what can be searched, and what is said of the rest."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnbench import plugins
from bnbench.configuration_packages import ConfigurationPackage, configuration_files, configuration_packages
from bnbench.plugins import broken_plugins

Plant = Callable[..., None]
YAML = "name: planted\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.delenv(plugins.WITHOUT_PLUGINS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(plugins, "_BROKEN", [])
    configuration_packages.cache_clear()
    yield folder
    configuration_packages.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("planted", "other")]:
        del sys.modules[name]


def test_package_with_groups_is_found(site: Path, plant: Plant) -> None:
    files = {"planted/__init__.py": "", "planted/conf/__init__.py": "", "planted/conf/norm/planted.yaml": YAML}
    files |= {"planted/conf/experiment/planted.yaml": "# @package _global_\n", "planted/conf/norm/notes.txt": ""}
    plant(site, "bnbench-planted", files, conf={"planted": "planted.conf"})
    found = frozenset({"norm/planted", "experiment/planted"})
    assert configuration_packages() == (ConfigurationPackage("planted.conf", "bnbench-planted 1.0", found),)
    assert broken_plugins() == ()


@pytest.mark.parametrize(
    ("files", "value", "said"),
    [
        ({"planted/__init__.py": "1 / 0"}, "planted", "ZeroDivisionError: division by zero"),
        ({"planted/__init__.py": ""}, "planted.conf", "ModuleNotFoundError: No module named 'planted.conf'"),
        ({"planted.py": ""}, "planted", "expected a package with configuration groups in it, got a module"),
        (
            {"planted.py": "conf = 'conf'"},
            "planted:conf",
            "expected a package with configuration groups in it, got a str",
        ),
        ({"planted/norm/planted.yaml": YAML}, "planted", "planted has no __init__.py"),
        (
            {"planted/__init__.py": ""},
            "planted",
            "planted holds no yaml file in a group folder; are its data files packaged?",
        ),
        (
            {"planted/__init__.py": "", "planted/config_schema.yaml": ""},
            "planted",
            "planted has config_schema.yaml, which lies in no group of bnbench such as norm/ or experiment/",
        ),
        (
            {"planted/__init__.py": "", "planted/hydra/launcher/mine.yaml": "", "planted/norm/planted.yaml": YAML},
            "planted",
            "planted has hydra/launcher/mine.yaml, which lies in no group of bnbench such as norm/ or experiment/",
        ),
    ],
)
def test_package_that_cannot_be_searched_is_reported(
    site: Path, plant: Plant, files: dict[str, str], value: str, said: str
) -> None:
    plant(site, "bnbench-planted", files, conf={"planted": value})
    plant(site, "bnbench-sound", {"other/__init__.py": "", "other/norm/other.yaml": YAML}, conf={"other": "other"})
    assert [found.package for found in configuration_packages()] == ["other"]
    (broken,) = broken_plugins()
    assert (broken.name, broken.distribution, broken.reason) == ("planted", "bnbench-planted 1.0", said)


def test_file_that_another_has_is_reported_and_the_rest_of_the_package_is_searched(site: Path, plant: Plant) -> None:
    for name in ("planted", "other"):
        files = {f"{name}/__init__.py": "", f"{name}/norm/batch.yaml": YAML, f"{name}/model/same.yaml": YAML}
        plant(site, f"bnbench-{name}", files | {f"{name}/norm/{name}.yaml": YAML}, conf={name: name})
    assert [found.package for found in configuration_packages()] == ["other", "planted"]
    ours = "its norm/batch.yaml has the name of one of bnbench, which is the one that is used"
    assert [(broken.name, broken.reason) for broken in broken_plugins()] == [
        ("other", ours),
        ("planted", "its model/same.yaml has the name of one of bnbench-other 1.0, which is the one that is used"),
        ("planted", ours),
    ]


@pytest.mark.parametrize(
    ("file", "value", "said"),
    [
        ("conf/norm/planted", "planted", "; did you mean the entry point 'planted.conf'?"),
        ("conf/norms/planted", "planted.conf", "; did you mean norm/?"),
        ("conf/zzz/planted", "planted.conf", ""),
    ],
)
def test_file_that_nothing_would_look_for_is_reported(
    site: Path, plant: Plant, file: str, value: str, said: str
) -> None:
    files = {"planted/__init__.py": "", "planted/conf/__init__.py": "", f"planted/{file}.yaml": YAML}
    plant(site, "bnbench-planted", files, conf={"planted": value})
    configuration_packages()
    found = file if value == "planted" else file.removeprefix("conf/")
    expected = f"its {found}.yaml lies in no group of bnbench such as norm/ or experiment/{said}"
    assert [broken.reason for broken in broken_plugins()] == [expected]


def test_file_that_is_not_utf8_is_named(site: Path, plant: Plant) -> None:
    plant(
        site, "bnbench-planted", {"planted/__init__.py": "", "planted/norm/planted.yaml": YAML}, conf={"p": "planted"}
    )
    (site / "planted/norm/planted.yaml").write_bytes("# é\n".encode("latin-1") + YAML.encode())
    configuration_packages()
    assert [broken.reason for broken in broken_plugins()] == ["its norm/planted.yaml is not in UTF-8"]


def test_own_configuration_is_known_by_group_and_name() -> None:
    assert {
        "config",
        "norm/batch",
        "norm/custom",
        "experiment/quickstart",
        "hydra/help/bnbench",
    } <= configuration_files()
