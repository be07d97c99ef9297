"""OpenML through a cache filled from scikit-learn's own fixtures: read without a network, and never harmed."""

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from sklearn.datasets import _openml

from bnbench.datasets import DatasetConfig, load
from bnbench.errors import UserError

FIXTURES = Path(sklearn.datasets.__file__).parent / "tests" / "data" / "openml"
PENGUINS, TITANIC, CPU = 42585, 40945, 561
TITANIC_NAMES = ["name", "ticket", "cabin", "boat", "home.dest"]
Answer = Callable[[str], bytes]


class Response(io.BytesIO):
    """What urlopen answers with, as far as scikit-learn asks."""

    def info(self) -> dict[str, str]:
        return {}


def address_of(fixture: Path) -> str:
    """Return the path at OpenML of what a fixture of scikit-learn's holds."""
    name = fixture.name.removesuffix(".gz").removesuffix(".json")
    if described := re.fullmatch(r"api-v1-jd([fq]?)-(\d+)", name):
        kind = {"": "", "f": "features/", "q": "qualities/"}[described[1]]
        return f"api/v1/json/data/{kind}{described[2]}"
    if listed := re.fullmatch(r"api-v1-jdl-dn-(.+)-l-2-dv-(\d+)", name):
        return f"api/v1/json/data/list/data_name/{listed[1]}/limit/2/data_version/{listed[2]}"
    if active := re.fullmatch(r"api-v1-jdl-dn-(.+)-l-2-s-act-", name):
        return f"api/v1/json/data/list/data_name/{active[1]}/limit/2/status/active/"
    number = fixture.parent.name.removeprefix("id_")
    described_by = gzip.decompress((fixture.parent / f"api-v1-jd-{number}.json.gz").read_bytes())
    return urlparse(json.loads(described_by)["data_set_description"]["url"]).path.lstrip("/")


def contents(number: int) -> dict[str, bytes]:
    """Return the gzipped answers of OpenML about a data set, by their paths."""
    return {address_of(file): file.read_bytes() for file in (FIXTURES / f"id_{number}").glob("*.gz")}


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data home of scikit-learn's and an empty data folder, with no network."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path / "bnbench"))
    answer_with(monkeypatch, None)
    return tmp_path / "sklearn" / "openml" / "openml.org"


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Answer | None) -> None:
    def urlopen(request: Any) -> Response:
        if answer is None:
            raise URLError("Name or service not known")
        return Response(answer(urlparse(request.full_url).path.lstrip("/")))

    monkeypatch.setattr(_openml, "urlopen", urlopen)
    monkeypatch.setattr(_openml.time, "sleep", lambda seconds: None)


def fill(home: Path, number: int) -> None:
    for address, content in contents(number).items():
        file = home / f"{address}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def arff_of(home: Path) -> Path:
    (file,) = (home / "data").rglob("*.arff.gz")
    return file


def configure(number: int | None = PENGUINS, **changes: Any) -> DatasetConfig:
    values: dict[str, Any] = {"name": "fixture", "source": "open_ml", "preprocessing": "standardize"}
    return DatasetConfig(**(values | {"openml_id": number} | changes))


def test_filled_cache_is_read_without_a_network_and_openml_says_what_is_predicted(home: Path) -> None:
    fill(home, PENGUINS)
    task = load(configure())
    assert (task.kind, task.num_outputs) == ("classification", 3)
    assert len(task.train_labels) + len(task.validation_labels) + len(task.test_labels) == 344
    assert "'culmen_length_mm'" in task.report[1]


def test_another_column_can_be_predicted(home: Path) -> None:
    fill(home, PENGUINS)
    task = load(configure(target_column="body_mass_g"))
    assert (task.kind, task.metric_name) == ("regression", "rmse")


@pytest.mark.parametrize("options", [{}, {"version": 1}])
def test_data_set_is_found_by_its_name(home: Path, options: dict[str, int]) -> None:
    fill(home, CPU)
    by_name = load(configure(None, name="cpu", options=options))
    assert by_name.checksum == load(configure(CPU)).checksum
    assert len(by_name.train_labels) == 125


def test_file_that_the_fast_parser_stumbles_over_is_read_by_the_other_and_stays_in_the_cache(home: Path) -> None:
    fill(home, TITANIC)
    before = snapshot(home)
    task = load(configure(TITANIC, ignore_columns=TITANIC_NAMES))
    assert len(task.train_labels) == 785
    assert snapshot(home) == before


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "no gzip"])
def test_damaged_file_is_named_and_the_cache_left_as_it_is(home: Path, damage: str) -> None:
    fill(home, PENGUINS)
    arff = arff_of(home)
    content = arff.read_bytes()
    arff.write_bytes(
        {
            "cut off": content[: len(content) // 2],
            "other bytes": gzip.compress(gzip.decompress(content)[:-200]),
            "no gzip": b"<html>404</html>",
        }[damage]
    )
    before = snapshot(home)
    message = rf"OpenML's data set {PENGUINS} .* cannot be read: {arff} cannot be read; .* \(nothing was deleted\)"
    with pytest.raises(UserError, match=message):
        load(configure())
    assert snapshot(home) == before


def test_without_cache_and_network_the_folder_of_the_cache_and_what_to_do_are_named(home: Path) -> None:
    expected = rf"is not in the cache {home.parent} and OpenML cannot be reached .*Name or service not known.*: connect"
    with pytest.raises(UserError, match=expected):
        load(configure())
    assert snapshot(home) == {}


def test_where_a_package_carries_the_data_set_the_one_line_is_named(home: Path) -> None:
    with pytest.raises(UserError, match=r": run `python -m bnbench.fetch letter`, or connect to the network$"):
        load(configure(6, name="letter", target_column="class"))


@pytest.mark.parametrize("absent", ["features", "arff"])
def test_half_a_cache_without_a_network_stays_as_it_is(home: Path, absent: str) -> None:
    fill(home, PENGUINS)
    next(file for file in home.rglob("*.gz") if absent in str(file)).unlink()
    before = snapshot(home)
    with pytest.raises(UserError, match="is not in the cache"):
        load(configure())
    assert snapshot(home) == before


def test_what_is_downloaded_is_kept_and_read_without_a_network_the_next_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {address: gzip.decompress(content) for address, content in contents(PENGUINS).items()}
    answer_with(monkeypatch, answers.__getitem__)
    online = load(configure())
    answer_with(monkeypatch, None)
    assert load(configure()).checksum == online.checksum
    assert {file.name for file in snapshot(home)} == {f"{Path(address).name}.gz" for address in answers}


def test_download_that_is_cut_off_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {address: gzip.decompress(content) for address, content in contents(PENGUINS).items()}
    answer_with(monkeypatch, lambda address: answers[address][: -200 if address.endswith("arff") else None])
    with pytest.raises(UserError, match=rf"cannot be read: .*md5 checksum .* cached at {home}.* does not match"):
        load(configure())
    assert snapshot(home) == {}


def test_damaged_file_is_replaced_once_a_whole_one_has_been_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(home, PENGUINS)
    arff = arff_of(home)
    whole = arff.read_bytes()
    arff.write_bytes(whole[:500])
    answer_with(monkeypatch, lambda address: gzip.decompress(whole))
    load(configure())
    assert gzip.decompress(arff.read_bytes()) == gzip.decompress(whole)


def test_no_link_or_folder_is_left_behind(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fill(home, PENGUINS)
    load(configure())
    assert [found.name for found in tmp_path.iterdir()] == ["sklearn"]


def test_unknown_column_is_answered_with_the_nearest(home: Path) -> None:
    fill(home, PENGUINS)
    with pytest.raises(UserError, match=r"target_column=specie: .* did you mean 'species'\?"):
        load(configure(target_column="specie"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"openml_id": None, "name": "auto"}, "dataset.openml_id=null: give the number"),
        ({"options": {"version": 1}}, "options.version has no effect beside dataset.openml_id"),
        ({"options": {"versoin": 1}}, "options.versoin is no option"),
    ],
)
def test_configuration_that_names_no_data_set_is_refused(home: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(configure(**changes))


def test_part_of_a_catalogued_data_set_is_refused(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(50, 2)), columns=["a", "b"]).assign(c=generator.integers(0, 2, 50))
    frame.to_csv(tmp_path / "part.csv", index=False)
    with pytest.raises(UserError, match=r"dataset=fixture has 20,000 rows, found 50"):
        load(configure(None, path=str(tmp_path / "part.csv"), target_column="c", about={"rows": 20_000}))
