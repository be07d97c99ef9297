"""The practitioner's command in little: a CSV in, an answer, code that runs and weights that fit it out."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from bnbench.records import load_records
from bnbench.scoring import answers
from bnbench.seeding import TARGET_SEEDS, TUNING_SEEDS
from bnbench.winner import code_of, records_of

ASK = ("+experiment=my_table", "-m")
ROWS = 300
LITTLE = (
    "logger=none",
    "measure_cost=false",
    "model.hidden=[16,8]",
    "budget.max_steps=120",
    "budget.eval_every_steps=10",
    "budget.batch_size=32",
    "seeds=4",
    "optimizer.lr=[0.003,0.03]",
)


def write_homes(path: Path, *, classes: bool = False) -> None:
    """Mixed columns with gaps; the price depends on all of them."""
    stream = np.random.default_rng(0)
    area, town = stream.normal(100, 20, ROWS), stream.choice(["Arden", "Bree", "Corfe"], ROWS)
    heating = stream.choice(["gas", "oil", None], ROWS)
    price = 2000 * area * pd.Series(town).map({"Arden": 1.2, "Bree": 1.0, "Corfe": 0.7}).to_numpy()
    frame = pd.DataFrame(
        {"area": area.round(1), "town": town, "heating": heating, "rooms": stream.integers(1, 7, ROWS)}
    )
    frame["price"] = np.where(price > np.median(price), "dear", "cheap") if classes else price.round()
    frame.loc[stream.random(ROWS) < 0.1, "area"] = np.nan
    frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def asked(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, Path]]:
    """What the command says, and its folder; each question is asked once."""
    known: dict[tuple[str, ...], tuple[str, Path]] = {}

    def ask(*arguments: str, classes: bool = False) -> tuple[str, Path]:
        key = (*arguments, str(classes))
        if key not in known:
            folder = tmp_path_factory.mktemp("asked")
            write_homes(folder / "homes.csv", classes=classes)
            table = ("dataset.path=homes.csv", "dataset.target_column=price")
            run = server.start(*ASK, *LITTLE, *table, *arguments, folder=folder).wait()
            assert run.code == 0, run.said
            known[key] = (run.said, folder)
        return known[key]

    return ask


def test_the_data_are_described_before_training_and_once(asked: Callable[..., tuple[str, Path]]) -> None:
    said, _ = asked("norm=none,layer,weight", "save_weights=winner.safetensors")
    for line in ("4 columns: 2 of numbers, 2 of categories", "180 training, 60 validation, 60 test rows"):
        assert said.count(line) == 1
        assert said.index(line) < said.index("homes · none · lr=")


def test_the_answer_names_file_norm_rate_and_the_rest(asked: Callable[..., tuple[str, Path]]) -> None:
    said, folder = asked("norm=none,layer,weight", "save_weights=winner.safetensors")
    assert re.search(r"^On homes\.csv use .* at lr 0\.0", said, re.MULTILINE)
    assert "python -m bnbench.leaderboard runs --experiment my_table" in said
    records = load_records(folder / "runs").records
    purposes = {seed["seed"] // TUNING_SEEDS for record in records for seed in record.seeds}
    assert purposes == {0, 1, TARGET_SEEDS // TUNING_SEEDS}
    ladders = {str(record.targets) for record in records if record.experiments}
    assert len(ladders) == 1
    assert "auto: " in ladders.pop()


def test_the_same_command_again_trains_nothing_and_answers_the_same(
    asked: Callable[..., tuple[str, Path]], server: Any
) -> None:
    first, folder = asked("norm=none,layer,weight", "save_weights=winner.safetensors")
    table = ("dataset.path=homes.csv", "dataset.target_column=price", "norm=none,layer,weight")
    again = server.start(*ASK, *LITTLE, *table, folder=folder).wait()
    assert "4 training" not in again.said
    assert "trained" not in again.said.partition("On homes.csv")[0]
    start = again.said.index("On homes.csv")
    assert again.said[start : start + 400] in first


@pytest.mark.parametrize("norm", ["none", "layer", "weight"])
def test_the_code_of_every_norm_runs_and_its_network_takes_the_saved_weights(
    norm: str, asked: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The pasted code gives the recorded test metric with the saved weights, and one like it with its own."""
    _, folder = asked("norm=none,layer,weight", "save_weights=winner.safetensors")
    monkeypatch.chdir(folder)
    records = load_records("runs").records
    (answer,) = answers(records)
    contender = next(each for each in answer.contenders if each.entry == norm)
    own = records_of(contender, records)
    code, why_not = code_of(answer, contender, own[0])
    assert why_not is None
    assert code is not None
    assert "bnbench" not in code.partition("\n")[2]
    script = tmp_path / "winner.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=True)
    found = float(done.stdout.removeprefix("test rmse "))
    recorded = [seed["final"]["test_rmse"] for record in own for seed in record.seeds]
    assert 0.5 * min(recorded) < found < 2 * max(recorded)
    assert found < 0.7 * answer.trivial


def test_saved_weights_load_strictly_and_give_the_recorded_test_metric(asked: Callable[..., tuple[str, Path]]) -> None:
    said, folder = asked("norm=none,layer,weight", "save_weights=winner.safetensors")
    assert "bit for bit the recorded run" in said
    code = said[said.index("# homes.csv: ") : said.index("weights of seed")]
    weights = folder / "winner.safetensors"
    with safe_open(weights, framework="pt") as file:
        about = file.metadata()
    loaded = code.replace("model.load_state_dict(weights)", "model.load_state_dict(load_file(PATH), strict=True)")
    assert loaded != code
    script = folder / "loaded.py"
    script.write_text(f"from safetensors.torch import load_file\nPATH = {str(weights)!r}\n{loaded}")
    done = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=True)
    assert float(done.stdout.removeprefix("test rmse ")) == pytest.approx(float(about["test_rmse"]), rel=1e-4)
    assert all(isinstance(tensor, torch.Tensor) for tensor in load_file(weights).values())


def test_a_table_of_classes_with_batch_norm(asked: Callable[..., tuple[str, Path]]) -> None:
    said, folder = asked("norm=none,batch", classes=True)
    assert "final accuracy" in said
    code = said[said.index("# homes.csv: ") : said.index("The winner's weights: ")]
    (folder / "code.py").write_text(code)
    done = subprocess.run([sys.executable, "code.py"], cwd=folder, capture_output=True, text=True, check=True)
    assert float(done.stdout.removeprefix("test accuracy ")) > 0.7


MISTAKES = {
    "no path": ((), "dataset.path=null: name the file to read"),
    "no target column": (("dataset.path=homes.csv",), "choose from: area, town, heating, rooms, price"),
    "wrong target column": (("dataset.path=homes.csv", "dataset.target_column=prise"), "did you mean 'price'?"),
    "a folder": (("dataset.path=.", "dataset.target_column=price"), "is a folder, expected a file"),
    "no such file": (("dataset.path=home.csv", "dataset.target_column=price"), "did you mean 'homes.csv'?"),
    "weights of another kind": (
        ("dataset.path=homes.csv", "dataset.target_column=price", "save_weights=winner.pt"),
        "ends with .safetensors",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message_for_the_whole_sweep(name: str, server: Any, tmp_path: Path) -> None:
    arguments, message = MISTAKES[name]
    write_homes(tmp_path / "homes.csv")
    run = server.start(*ASK, *LITTLE, *arguments, folder=tmp_path).wait()
    assert run.code == 1
    assert run.said.count(message) == 1
    assert len(run.said.strip().splitlines()) == 1
