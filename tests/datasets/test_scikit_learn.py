"""What scikit-learn fetches: offline the folder and what to do are named."""

import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.utils import Bunch

from bnbench.datasets import DatasetConfig, load
from bnbench.datasets.sources import scikit_learn
from bnbench.errors import UserError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path / "bnbench"))


def configure(name: str, **changes: Any) -> DatasetConfig:
    return DatasetConfig(name=name, source="scikit_learn", preprocessing="standardize", **changes)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("california", "run `python -m bnbench.fetch california`, or connect to the network"),
        ("covertype", "connect to the network, or set dataset.path to a file with its rows"),
    ],
)
def test_without_a_network_the_folder_and_what_to_do_are_named(
    name: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        warnings.warn("Retry downloading from url: somewhere", stacklevel=2)
        raise URLError("Name or service not known")

    monkeypatch.setitem(scikit_learn.FETCHED, name, fail)
    with pytest.raises(UserError, match=rf"'{name}' is not in scikit-learn's folder {tmp_path}/sklearn .*: {advice}$"):
        load(configure(name))


def test_damaged_file_of_scikit_learns_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sklearn"
    folder.mkdir()
    (folder / "cal_housing_py3.pkz").write_bytes(b"cut off")
    with pytest.raises(UserError, match=rf"scikit-learn's file of 'california' in {folder} is cut off .*: delete it"):
        load(configure("california", target_column="MedHouseVal"))


def test_what_scikit_learn_fetched_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=["a", "b", "Cover_Type"])
    frame["Cover_Type"] = np.arange(100, dtype=np.int32) % 4 + 1
    monkeypatch.setitem(scikit_learn.FETCHED, "covertype", lambda **options: Bunch(frame=frame))
    task = load(configure("covertype", target_column="Cover_Type"))
    assert (task.kind, task.num_outputs, task.num_features) == ("classification", 4, 2)
    with pytest.raises(UserError, match="dataset=covertype has 581,012 rows, found 100: another data set"):
        load(configure("covertype", target_column="Cover_Type", about={"rows": 581_012}))


def test_a_file_at_the_path_is_read_instead(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=["a", "b", "MedHouseVal"])
    frame.to_csv(tmp_path / "california.csv", index=False)
    task = load(configure("california", target_column="MedHouseVal", path=str(tmp_path / "california.csv")))
    assert (task.kind, task.num_features) == ("regression", 2)


def test_diabetes_has_its_own_units_for_the_scaled_rows_know_all_parts() -> None:
    task = load(DatasetConfig(name="diabetes", source="scikit_learn", preprocessing="none"))
    raw = load_diabetes(scaled=False).data.astype(np.float32)
    assert set(map(tuple, task.train_inputs[:].tolist())) <= set(map(tuple, raw.tolist()))


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'wine'"):
        load(configure("wines"))


def test_embedded_data_set_reads_no_file() -> None:
    with pytest.raises(UserError, match="'wine' ships with scikit-learn and reads no file"):
        load(configure("wine", path="wine.csv"))
