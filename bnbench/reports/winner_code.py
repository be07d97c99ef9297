"""The winner as a script of pandas, scikit-learn and torch, to be pasted and changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnbench.metric_facts import facts_of

OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD", "adam": "Adam", "adamw": "AdamW"}
SCALERS = {"none": None, "center": "StandardScaler(with_std=False)", "standardize": "StandardScaler()"}
INITIAL_WEIGHTS = {
    "he": "nn.init.normal_(layer.weight, std=(2 / num_inputs) ** 0.5)",
    "xavier": "nn.init.normal_(layer.weight, std=(2 / (num_inputs + num_outputs)) ** 0.5)",
    "lecun": "nn.init.normal_(layer.weight, std=(1 / num_inputs) ** 0.5)",
    "orthogonal": "nn.init.orthogonal_(layer.weight)",
}
# the metric of `outputs` (the network's), `labels` (as it is trained on) and `scale` (units of the labels)
METRICS = {
    "accuracy": "float((outputs.argmax(1) == labels).double().mean())",
    "rmse": "scale * float((outputs - labels).double().square().mean().sqrt())",
    "mae": "scale * float((outputs - labels).double().abs().mean())",
}
IMPORTED = {
    "bnbench.norms": ("choose_norm",),
    "sklearn.compose": ("ColumnTransformer",),
    "sklearn.impute": ("MissingIndicator", "SimpleImputer"),
    "sklearn.model_selection": ("train_test_split",),
    "sklearn.pipeline": ("make_pipeline",),
    "sklearn.preprocessing": ("OneHotEncoder", "StandardScaler"),
    "torch.nn.utils.parametrizations": ("weight_norm",),
}
LOSSES = {"classification": "cross_entropy", "regression": "mse_loss"}


@dataclass(frozen=True)
class TableCode:
    """How the rows are read: `reading` is an expression of pandas, columns go by name."""

    reading: str
    target: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    has_missing: bool
    kind: str


@dataclass(frozen=True)
class NetworkCode:
    """The layers of the Sequential in order, and what names the code needs from bnbench for the norm."""

    layers: tuple[str, ...]
    norm: Mapping[str, Any]


def data_code(table: TableCode, dataset: Mapping[str, Any]) -> str | None:
    """Return the code from the file to tensors by part, split as bnbench splits; None where there is no such code."""
    if dataset["preprocessing"] not in SCALERS or dataset["split"] not in ("auto", "random", "stratified"):
        return None
    classes = table.kind == "classification"
    stratify = (", stratify=y", ", stratify=y[train]") if classes and dataset["split"] != "random" else ("", "")
    scaler = SCALERS[dataset["preprocessing"]]
    steps = ['SimpleImputer(strategy="median")'] if table.has_missing else []
    steps += [scaler] if scaler else []
    of_numbers = f"make_pipeline({', '.join(steps)})" if len(steps) > 1 else steps[0] if steps else '"passthrough"'
    transformers = [f'("numbers", {of_numbers}, numbers)'] if table.numbers else []
    if table.numbers and table.has_missing:
        transformers.append('("missing", MissingIndicator(error_on_new=False), numbers)')
    if table.categories:
        one_hot = 'OneHotEncoder(handle_unknown="ignore", sparse_output=False)'
        transformers.append(f'("categories", {one_hot}, categories)')
    lines = [
        f"table = {table.reading}.dropna(subset=[{table.target!r}])",
        f"numbers = {list(table.numbers)!r}",
        f"categories = {list(table.categories)!r}",
        "X = table[numbers + categories].astype(dict.fromkeys(numbers, float))",
    ]
    if classes:
        lines.append(f"classes, y = np.unique(table[{table.target!r}], return_inverse=True)")
    else:
        lines.append(f"y = table[{table.target!r}].to_numpy(dtype=float)")
    lines += [
        "",
        f"stream = np.random.RandomState({dataset['data_seed']})",
        f"sizes = [round({dataset['validation_fraction']!r} * len(y)), round({dataset['test_fraction']!r} * len(y))]",
        "rows = np.arange(len(y))",
        f"train, validation = train_test_split(rows, test_size=sizes[0], random_state=stream{stratify[0]})",
        f"train, test = train_test_split(train, test_size=sizes[1], random_state=stream{stratify[1]})",
        "train, validation, test = np.sort(train), np.sort(validation), np.sort(test)",
        "",
        "prepare = ColumnTransformer([",
        *(f"    {transformer}," for transformer in transformers),
        "], sparse_threshold=0).fit(X.iloc[train])",
        "center, scale = " + ("0.0, 1.0" if classes else "y[train].mean(), y[train].std()"),
        "",
        "",
        "def part(rows):",
        "    inputs = torch.tensor(prepare.transform(X.iloc[rows]), dtype=torch.float32)",
        "    return inputs, "
        + ("torch.tensor(y[rows])" if classes else "torch.tensor((y[rows] - center) / scale, dtype=torch.float32)"),
    ]
    return "\n".join(lines)


def winner_code(
    table: TableCode, network: NetworkCode, config: Mapping[str, Any], *, metric: str, title: str
) -> str | None:
    """Return the whole script; None where something of the configuration has no such code.

    It trains one network on the rows bnbench trained on, with initial weights and batches of its own, keeps the weights
    of the best validation step and prints the test metric.
    """
    data, optimizer, budget = data_code(table, config["dataset"]), config["optimizer"], config["budget"]
    loss = config["dataset"]["loss"] or LOSSES[table.kind].removesuffix("_loss")
    initial = INITIAL_WEIGHTS.get(config["model"]["initialisation"])
    plain = config["schedule"]["name"] == "constant" and optimizer["clip_gradient_norm"] is None
    if data is None or initial is None or metric not in METRICS or not plain or loss not in ("cross_entropy", "mse"):
        return None
    outputs = "model(inputs)" if table.kind == "classification" else "model(inputs).squeeze(1)"
    upward = facts_of(metric).direction == "max"
    parts = [
        data,
        "",
        "",
        "def linear(num_inputs, num_outputs):",
        "    layer = nn.Linear(num_inputs, num_outputs)",
        f"    {initial}",
        "    nn.init.zeros_(layer.bias)",
        "    return layer",
        "",
        "",
        "def measure(inputs, labels):",
        "    model.eval()",
        "    with torch.no_grad():",
        f"        outputs = {outputs}",
        "    model.train()",
        f"    return {METRICS[metric]}",
        "",
        "",
        "torch.manual_seed(0)",
        *_norm_from_bnbench(network),
        "model = nn.Sequential(",
        *(f"    {layer}," for layer in network.layers),
        ")",
        *_optimizer(optimizer),
        "(train_inputs, train_labels), of_validation, of_test = part(train), part(validation), part(test)",
        f"best, order = {'-' if upward else ''}float('inf'), torch.empty(0, dtype=torch.long)",
        f"for step in range(1, {budget['max_steps']} + 1):",
        f"    while len(order) < {budget['batch_size']}:",
        "        order = torch.cat([order, torch.randperm(len(train))])",
        f"    rows, order = order[:{budget['batch_size']}], order[{budget['batch_size']}:]",
        "    inputs, labels = train_inputs[rows], train_labels[rows]",
        f"    loss = nn.functional.{LOSSES[table.kind]}({outputs}, labels)",
        "    optimizer.zero_grad()",
        "    loss.backward()",
        "    optimizer.step()",
        f"    if step % {budget['eval_every_steps']} == 0:",
        "        now = measure(*of_validation)",
        f"        if now {'>' if upward else '<'} best:",
        "            best, weights = now, {name: value.clone() for name, value in model.state_dict().items()}",
        "model.load_state_dict(weights)",
        f'print(f"test {metric} {{measure(*of_test):.6g}}")',
        "",
    ]
    code = "\n".join(parts)
    return "\n".join([f"# {title}", *_imports(code), "", code])


def _imports(code: str) -> list[str]:
    """Return the imports of the names that the code uses."""
    lines = ["import numpy as np", "import pandas as pd", "import torch"]
    for module, names in IMPORTED.items():
        used = [name for name in names if f"{name}(" in code]
        lines += [f"from {module} import {', '.join(used)}"] if used else []
    return [*lines, "from torch import nn"]


def _norm_from_bnbench(network: NetworkCode) -> list[str]:
    code, chosen = " ".join(network.layers), f"choose_norm({dict(network.norm)!r})"
    if "make_norm(" in code:
        return [f"make_norm = {chosen}.maker(seed=0)"]
    if "replace(" in code:
        return ["", "", "def replace(layer):", f'    return {chosen}.replace(layer, seed=0, name="")', "", ""]
    return []


def _optimizer(optimizer: Mapping[str, Any]) -> list[str]:
    """Return the optimizer; weight decay, where there is any, pulls at weights only."""
    name, options = optimizer["name"], [f"lr={optimizer['lr']:g}"]
    if name == "momentum":
        options += [f"momentum={optimizer['momentum']:g}", *(["nesterov=True"] if optimizer["nesterov"] else [])]
    if name in ("adam", "adamw"):
        options += [f"betas={tuple(optimizer['betas'])!r}"] if list(optimizer["betas"]) != [0.9, 0.999] else []
        options += [f"eps={optimizer['eps']!r}"] if optimizer["eps"] != 1e-8 else []
    torchs = f"torch.optim.{OPTIMIZERS[name]}"
    decay = optimizer["weight_decay"]
    if not decay:
        none = ", weight_decay=0.0" if name == "adamw" else ""
        return [f"optimizer = {torchs}(model.parameters(), {', '.join(options)}{none})"]
    return [
        "weights = [parameter for parameter in model.parameters() if parameter.dim() >= 2]",
        "others = [parameter for parameter in model.parameters() if parameter.dim() < 2]",
        f"groups = [{{'params': weights, 'weight_decay': {decay:g}}}, {{'params': others, 'weight_decay': 0.0}}]",
        f"optimizer = {torchs}(groups, {', '.join(options)})",
    ]


def reading_choices(name: str, ending: str) -> Sequence[str]:
    """Return the expressions of pandas that may read a file of this ending, the plainest first."""
    if ending == ".parquet":
        return [f"pd.read_parquet({name!r})"]
    if ending not in (".csv", ".tsv", ".txt", ".data"):
        return []
    dialects = ["", ", sep=';'", ", sep=';', decimal=','", ", sep='\\t'", ", sep='|'"]
    missing = ["", ", na_values=['?'], skipinitialspace=True"]
    return [f"pd.read_csv({name!r}{dialect}{gap})" for dialect in dialects for gap in missing]
