"""Readable names of workloads: the dataset plus what differs on this board."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

RESULT_DECIDING = ("model", "optimizer", "schedule", "budget", "dataset")
PRECISION = "trainer.precision"
# what names or places the rows and what is said of them: the same rows elsewhere, or other targets, train the same
NOT_DECIDING = ("dataset.targets", "dataset.about", "dataset.path", "dataset.source")


def flatten(config: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Return nested keys joined by dots; lists are values.

    >>> flatten({"model": {"hidden": [8, 8]}, "seeds": 3})
    {'model.hidden': [8, 8], 'seeds': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, prefix=f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def workload_names(workloads: Sequence[tuple[str, str, Mapping[str, Any]]]) -> dict[str, str]:
    """Return a name per workload_id from (workload_id, dataset, config), e.g. `digits · lr=0.1`; names are unique.

    >>> workload_names([("a1", "digits", {"optimizer": {"lr": 0.1}}), ("b2", "digits", {"optimizer": {"lr": 0.3}})])
    {'a1': 'digits · lr=0.1', 'b2': 'digits · lr=0.3'}
    """
    by_dataset: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for workload_id, dataset, config in workloads:
        by_dataset[dataset][workload_id] = result_deciding(config)
    names = {}
    for dataset, configs in by_dataset.items():
        differing = _differing(list(configs.values()))
        for workload_id, flat in configs.items():
            told = [f"{short}={_text(flat[key])}" for key, short in differing.items() if key in flat]
            names[workload_id] = " · ".join([dataset, ", ".join(told)] if told else [dataset])
    shared = Counter(names.values())
    return {key: f"{name} [{key[:6]}]" if shared[name] > 1 else name for key, name in names.items()}


def without_rate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without its learning rate, as a workload of the tuned track is named.

    >>> without_rate({"optimizer": {"name": "sgd", "lr": 0.1}})
    {'optimizer': {'name': 'sgd'}}
    """
    optimizer = config.get("optimizer")
    if not isinstance(optimizer, Mapping):
        return dict(config)
    return {**config, "optimizer": {key: value for key, value in optimizer.items() if key != "lr"}}


def result_deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flattened keys of a config that decide a result besides entry and seed."""
    flat = flatten(config)
    return {key: value for key, value in flat.items() if _decides(key)} | _world_size(flat)


def _world_size(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the number of processes where each takes its own statistics; else it decides nothing."""
    ranks = flat.get("trainer.devices", 1) * flat.get("trainer.num_nodes", 1)
    return {"trainer.world_size": ranks} if ranks > 1 and not flat.get("trainer.sync_batch_statistics", True) else {}


def _decides(key: str) -> bool:
    if key == PRECISION:
        return True
    return key.split(".")[0] in RESULT_DECIDING and ".".join(key.split(".")[:2]) not in NOT_DECIDING


def _differing(configs: list[dict[str, Any]]) -> dict[str, str]:
    """Return the keys that are not equal everywhere, each with its shortest unambiguous name."""
    keys = dict.fromkeys(key for flat in configs for key in flat)
    differing = [key for key in keys if len({_text(flat[key]) if key in flat else None for flat in configs}) > 1]
    last_parts = Counter(key.rpartition(".")[2] for key in differing)
    return {
        key: last if last_parts[last := key.rpartition(".")[2]] == 1 else key
        for key in differing
        if key != "dataset.name"
    }


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return short if float(short := f"{value:g}") == value else repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return str(value)
