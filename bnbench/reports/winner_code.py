"""The winner as a script of pandas, scikit-learn and torch, to be pasted and changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnbench.metric_facts import facts_of
from bnbench.reports.cells import plain
from bnbench.reports.winner_data import TableCode, data_code, why_no_data_code

OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD", "adam": "Adam", "adamw": "AdamW"}
INITIAL_WEIGHTS = {
    "he": "nn.init.normal_(layer.weight, std=(2 / num_inputs) ** 0.5)",
    "xavier": "nn.init.normal_(layer.weight, std=(2 / (num_inputs + num_outputs)) ** 0.5)",
    "lecun": "nn.init.normal_(layer.weight, std=(1 / num_inputs) ** 0.5)",
    "orthogonal": "nn.init.orthogonal_(layer.weight)",
}
# of `outputs` (logits of all classes, or predictions), `labels` (as trained on) and `scale` (units of the labels)
METRICS = {
    "accuracy": ["return float((outputs.argmax(1) == labels).double().mean())"],
    "balanced_accuracy": ["return float(balanced_accuracy_score(labels, outputs.argmax(1)))"],
    "macro_f1": ['return float(f1_score(labels, outputs.argmax(1), labels=labels.unique(), average="macro"))'],
    "auroc": [
        "chances = outputs.double().softmax(1)",
        "return float(np.mean([roc_auc_score(labels == each, chances[:, each]) for each in labels.unique()]))",
    ],
    "nll": ["return float(nn.functional.cross_entropy(outputs.double(), labels))"],
    "ece": [
        "confidence, predicted = outputs.double().softmax(1).max(1)",
        "bins = torch.bucketize(confidence, torch.linspace(0, 1, 16, dtype=torch.float64)[1:-1], right=True)",
        "gaps = torch.bincount(bins, weights=(predicted == labels).double() - confidence)",
        "return float(gaps.abs().sum() / len(labels))",
    ],
    "rmse": ["return scale * float((outputs - labels).double().square().mean().sqrt())"],
    "mae": ["return scale * float((outputs - labels).double().abs().mean())"],
    "r2": ["return float(r2_score(labels, outputs))"],
}
IMPORTED = {
    "bnbench.norms": ("choose_norm",),
    "sklearn.compose": ("ColumnTransformer",),
    "sklearn.decomposition": ("PCA",),
    "sklearn.impute": ("MissingIndicator", "SimpleImputer"),
    "sklearn.metrics": ("balanced_accuracy_score", "f1_score", "r2_score", "roc_auc_score"),
    "sklearn.model_selection": ("train_test_split",),
    "sklearn.pipeline": ("make_pipeline",),
    "sklearn.preprocessing": ("OneHotEncoder", "QuantileTransformer", "StandardScaler"),
    "torch.nn.utils.parametrizations": ("weight_norm",),
}
# of what the network gives out, as `scores`, and the labels
LOSSES = {
    "cross_entropy": "nn.functional.cross_entropy(scores, labels)",
    "binary": "nn.functional.binary_cross_entropy_with_logits(scores, labels.float())",
    "mse": "nn.functional.mse_loss(scores, labels)",
    "huber": "nn.functional.huber_loss(scores, labels)",
}


@dataclass(frozen=True)
class NetworkCode:
    """The layers of the Sequential in order, and what names the code needs from bnbench for the norm."""

    layers: tuple[str, ...]
    norm: Mapping[str, Any]


def why_no_code(config: Mapping[str, Any], *, metric: str) -> str | None:
    """Return what of a configuration the script cannot say, or None where it can say all."""
    if (reason := why_no_data_code(config["dataset"])) is not None:
        return reason
    if metric not in METRICS:
        return f"the metric {metric} has no code"
    if config["schedule"]["name"] != "constant":
        return f"schedule={config['schedule']['name']} has no code; expected constant"
    if config["model"]["initialisation"] not in INITIAL_WEIGHTS:
        return f"model.initialisation={config['model']['initialisation']} has no code"
    return None


def winner_code(
    table: TableCode, network: NetworkCode, config: Mapping[str, Any], *, loss: str, metric: str, title: str
) -> str:
    """Return the whole script of a configuration for which `why_no_code` is None.

    It trains one network on the rows bnbench trained on, with initial weights and batches of its own, keeps the weights
    of the best validation step and prints the test metric.
    """
    scores = "model(inputs)" if loss == "cross_entropy" else "model(inputs).squeeze(1)"
    parts = [
        data_code(table, config["dataset"]),
        "",
        "",
        "def linear(num_inputs, num_outputs):",
        "    layer = nn.Linear(num_inputs, num_outputs)",
        f"    {INITIAL_WEIGHTS[config['model']['initialisation']]}",
        "    nn.init.zeros_(layer.bias)",
        "    return layer",
        "",
        "",
        "def measure(inputs, labels):",
        "    model.eval()",
        "    with torch.no_grad():",
        f"        outputs = {scores}",
        *(["        outputs = torch.stack([0 * outputs, outputs], dim=1)"] if loss == "binary" else []),
        "    model.train()",
        *(f"    {line}" for line in METRICS[metric]),
        "",
        "",
        "torch.manual_seed(0)",
        *_norm_from_bnbench(network),
        "model = nn.Sequential(",
        *(f"    {layer}," for layer in network.layers),
        ")",
        *_optimizer(config["optimizer"]),
        *_training(config, scores=scores, loss=loss, metric=metric),
        "model.load_state_dict(weights)",
        f'print(f"test {metric} {{measure(*of_test):.6g}}")',
        "",
    ]
    code = "\n".join(parts)
    return "\n".join([f"# {plain(title)}", *_imports(code), "", code])


def _training(config: Mapping[str, Any], *, scores: str, loss: str, metric: str) -> list[str]:
    """Return the loop over the steps, with the weights of the best validation step at its end."""
    budget, longest = config["budget"], config["optimizer"]["clip_gradient_norm"]
    upward = facts_of(metric).direction == "max"
    clip = f"    nn.utils.clip_grad_norm_(model.parameters(), {longest})"
    return [
        "(train_inputs, train_labels), of_validation, of_test = part(train), part(validation), part(test)",
        f"best, order = {'-' if upward else ''}float('inf'), torch.empty(0, dtype=torch.long)",
        f"for step in range(1, {budget['max_steps']} + 1):",
        f"    while len(order) < {budget['batch_size']}:",
        "        order = torch.cat([order, torch.randperm(len(train))])",
        f"    rows, order = order[:{budget['batch_size']}], order[{budget['batch_size']}:]",
        "    inputs, labels = train_inputs[rows], train_labels[rows]",
        f"    scores = {scores}",
        f"    loss = {LOSSES[loss]}",
        "    optimizer.zero_grad()",
        "    loss.backward()",
        *([clip] if longest is not None else []),
        "    optimizer.step()",
        f"    if step % {budget['eval_every_steps']} == 0:",
        "        now = measure(*of_validation)",
        f"        if now {'>' if upward else '<'} best:",
        "            best, weights = now, {name: value.clone() for name, value in model.state_dict().items()}",
    ]


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
