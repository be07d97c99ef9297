"""A table of the user's own goes by the name of its file, unless it is given another."""

import pytest
from hydra import compose, initialize_config_dir

from bnbench.config import read_config
from bnbench.train import CONF


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["dataset=file", "dataset.path=data/homes.csv"], "homes"),
        (["dataset=file", "dataset.path=Homes_2024.csv.gz"], "homes_2024"),
        (["dataset=file", "dataset.path='my homes (new).csv'"], "my_homes_new"),
        (["dataset=file", "dataset.path=.csv"], "table"),
        (["dataset=file", "dataset.path=homes.csv", "dataset.name=prices"], "prices"),
        (["dataset=open_ml", "dataset.openml_id=31"], "openml_31"),
        (["dataset=open_ml", "dataset.name=credit-g"], "credit-g"),
        (["dataset=letter", "dataset.path=other.csv"], "letter"),
    ],
)
def test_name_is_that_of_the_file_unless_another_is_given(overrides: list[str], name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert read_config(compose("config", overrides)).dataset.name == name
