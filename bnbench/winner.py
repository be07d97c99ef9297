"""The winner of a sweep to take away: its code, checked against what was trained, and its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save as to_safetensors
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from bnbench.config import Config, typed_config
from bnbench.datasets import DatasetConfig, Task, load
from bnbench.datasets.files.content import read_content
from bnbench.datasets.files.delimited import to_utf_8
from bnbench.datasets.files.dialect import find_dialect
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.records import Record
from bnbench.records.atomic import write_atomically
from bnbench.reports.winner_code import NetworkCode, why_no_code, winner_code
from bnbench.reports.winner_data import READERS, TableCode, data_code, reading_choices
from bnbench.scoring import Answer, Contender
from bnbench.training.fit import Member, fit, may_stack, network_of
from bnbench.training.plain_network import plain_layers, plain_state
from bnbench.training.replicas import Replicas

# what the pasted code imports: the code of the data runs here once, to see that it gives the numbers trained on
NAMES = {
    "np": np,
    "pd": pd,
    "torch": torch,
    "ColumnTransformer": ColumnTransformer,
    "PCA": PCA,
    "QuantileTransformer": QuantileTransformer,
    "MissingIndicator": MissingIndicator,
    "SimpleImputer": SimpleImputer,
    "train_test_split": train_test_split,
    "make_pipeline": make_pipeline,
    "OneHotEncoder": OneHotEncoder,
    "StandardScaler": StandardScaler,
}
TOLERANCE = 1e-4


def take_away(answer: Answer, records: list[Record], *, weights_path: str | None) -> tuple[str | None, list[str]]:
    """Return the winner's code, where it has one, and lines: why not, and how to have its weights."""
    winner = answer.winner
    if winner is None:
        none_saved = f"No weights in {weights_path}: without runs of '{answer.reference}' there is no winner."
        return None, [] if weights_path is None else [none_saved]
    own = records_of(winner, records)
    code, why_not = code_of(answer, winner, own[0])
    said = [] if why_not is None else [f"No code of the winner to paste: {why_not}."]
    if weights_path is None:
        return code, [*said, "The winner's weights: the same command with save_weights=winner.safetensors"]
    said.append(save_weights(answer, winner, own, Path(weights_path)))
    if code is not None:
        said.append(f"In the code: model.load_state_dict(safetensors.torch.load_file({weights_path!r}))")
    return code, said


def code_of(answer: Answer, winner: Contender, record: Record) -> tuple[str | None, str | None]:
    """Return the script of the winner, whose data come out as those trained on, or None and why there is none."""
    config = typed_config(record.config)
    path = config.dataset.path
    if config.dataset.source != "file" or path is None or _ending(path) not in READERS:
        return None, f"it is written for a table of your own in {', '.join(READERS)}"
    if (why_not := why_no_code(record.config, metric=answer.metric)) is not None:
        return None, why_not
    task = _task_of(record, config)
    layers = plain_layers(network_of(config, task, choose_norm(config.norm)), vars(config.model))
    if layers is None:
        return None, "the network is more than a sequence of layers"
    table = SOURCES.get(config.dataset.source)(config.dataset)
    network = NetworkCode(tuple(layer.code for layer in layers), config.norm)
    name = "no norm" if winner.entry == "none" else f"{winner.entry} norm"
    title = f"{PurePath(path).name}: {name} at lr {winner.choice.rate:g}, found by bnbench"
    for reading in _readings(config.dataset):
        described = _described(table, reading, config, task)
        if described is not None and _gives(data_code(described, record.config["dataset"]), task):
            return winner_code(
                described, network, record.config, loss=task.loss, metric=answer.metric, title=title
            ), None
    return None, "pandas alone does not read the columns of this file as bnbench does"


def _readings(dataset: DatasetConfig) -> Sequence[str]:
    path = Path(str(dataset.path)).expanduser()
    if _ending(str(path)) == ".parquet":
        return reading_choices(str(path), ".parquet")
    content, _ = to_utf_8(read_content(path), path)
    dialect = find_dialect(content, path, target_column=dataset.target_column)
    return reading_choices(
        str(path),
        _ending(str(path)),
        delimiter=dialect.delimiter,
        decimal=dialect.decimal,
        has_header=dialect.has_header,
    )


def save_weights(answer: Answer, winner: Contender, records: list[Record], path: Path) -> str:
    """Train the winner's median seed again, alone, write its weights to `path`; return what to say of it.

    Alone it is bit for bit the replica it was, on the same machine; where it is not, what is returned says so. The
    weights are those of its best validation step, by the names they have in the pasted code.
    """
    record, seed = _median_seed(answer, records)
    config = replace(typed_config(record.config), diagnostics=[])
    task, norm = _task_of(record, config), choose_norm(config.norm)
    kept: dict[str, torch.Tensor] = {}

    def keep(replicas: Replicas) -> None:
        kept.update({name: stack[0].detach().cpu().clone() for name, stack in replicas.snapshot().items()})

    members = [Member(seed["seed"], winner.choice.rate)]
    trajectory = fit(config, task, norm, members, stacked=may_stack(config, task, norm), keep=keep)
    layers = plain_layers(network_of(config, task, norm), vars(config.model))
    tensors = kept if layers is None else plain_state(layers, kept)
    about = {
        "entry": winner.entry,
        "learning_rate": f"{winner.choice.rate:g}",
        "seed": str(seed["seed"]),
        "cell_id": record.cell_id,
        "best_step": str(int(trajectory.best_step[0])),
        f"val_{answer.metric}": repr(float(trajectory.best_metric[0])),
        f"test_{answer.metric}": repr(float(trajectory.test_metric[0])),
    }
    write_atomically(path, to_safetensors(tensors, metadata=about))
    recorded = seed["final"][f"best_val_{answer.metric}"]
    same = float(trajectory.best_metric[0]) == recorded
    check = "bit for bit the recorded run" if same else f"not the recorded run, whose best was {recorded:.6g}"
    return (
        f"weights of seed {seed['seed']}, the median one, at its best validation step {about['best_step']}: {path} "
        f"(test {answer.metric} {trajectory.test_metric[0]:.6g}; trained again alone: {check})"
    )


def _task_of(record: Record, config: Config) -> Task:
    task = load(config.dataset)
    if task.checksum != record.identity["workload"]["dataset"]["checksum"]:
        raise UserError(f"the data of '{task.name}' are no longer those that the winner was trained on")
    return task


def records_of(winner: Contender, records: list[Record]) -> list[Record]:
    """Return the records of the winner's cell."""
    return [record for record in records if record.cell_id == winner.cell_id]


def _median_seed(answer: Answer, records: list[Record]) -> tuple[Record, Mapping[str, Any]]:
    """Return the seed in the middle by best validation metric, the lower of two, among the scored and finished."""
    key = f"best_val_{answer.metric}"
    seeds = [
        (record, seed)
        for record in records
        for seed in record.seeds
        if seed["status"] == "finished" and seed["seed"] < 1_000_000 and seed["final"][key] is not None
    ]
    if not seeds:
        raise UserError("no weights are saved: every seed of the winner diverged")
    seeds.sort(key=lambda each: (each[1]["final"][key], each[1]["seed"]))
    return seeds[(len(seeds) - 1) // 2]


def _ending(path: str) -> str:
    """Return the ending that says what a file is: of table.csv.gz, which pandas unpacks itself, that is .csv."""
    return PurePath(path.lower().removesuffix(".gz")).suffix


def _described(table: Table, reading: str, config: Config, task: Task) -> TableCode | None:
    """Return how a table is read by this expression of pandas; None where that does not read the file."""
    target = _target_name(reading, config.dataset.target_column)
    if target is None:
        return None
    frame = table.inputs
    if isinstance(frame, pd.DataFrame):
        categories = tuple(name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype))
        numbers = tuple(name for name in frame if name not in categories)
        has_missing = bool(frame[list(numbers)].isna().to_numpy().any())
    else:
        numbers, categories, has_missing = table.feature_names, (), False
    return TableCode(reading, target, numbers, categories, has_missing, task.kind, task.num_features)


def _target_name(reading: str, wanted: Any) -> str | None:
    """Return the name of the target among the columns as they are read, where it is given by its number as well."""
    try:
        names = list(eval(reading, dict(NAMES)))
        return str(wanted) if str(wanted) in names else names[int(str(wanted))]
    except Exception:  # another encoding or another table than bnbench reads
        return None


def _gives(data: str, task: Task) -> bool:
    """Return whether the code of the data gives the tensors that were trained on."""
    names = dict(NAMES)
    try:
        exec(compile(data, "<data of the winner>", "exec"), names)
        parts = {name: names["part"](names[name]) for name in ("train", "validation", "test")}
    except Exception:  # another dialect of CSV, or columns that only bnbench reads as it does
        return False
    return all(
        _same(inputs, getattr(task, f"{name}_inputs")[:]) and _same(labels, getattr(task, f"{name}_labels"))
        for name, (inputs, labels) in parts.items()
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one.double(), other.double(), atol=TOLERANCE)
