"""Generated data sets: a random teacher whose inputs are as ill-conditioned as is asked for, and spirals."""

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError, nearest


@dataclass(frozen=True)
class TeacherOptions:
    """Rows and features; depth and width of the teacher; `classes` 0 is regression; conditioning of the inputs."""

    rows: int = 20_000
    features: int = 64
    depth: int = 2
    width: int = 64
    classes: int = 10
    condition_number: float = 1.0
    mean_offset: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class SpiralsOptions:
    """Rows; arms, each a class; standard deviation of the noise where a spiral has radius 1; turns of an arm."""

    rows: int = 6_000
    arms: int = 3
    noise: float = 0.02
    turns: float = 1.5
    seed: int = 0


Options = TypeVar("Options", TeacherOptions, SpiralsOptions)


@SOURCES.register("teacher")
def teacher(config: DatasetConfig) -> Table:
    """Return inputs of a chosen conditioning, labelled by a random ReLU network that sees them whitened.

    z ~ N(0, I); the teacher's `depth` layers of `width` units have He's weights, and its outputs are standardised over
    the rows: the largest tells the class, or the only one is the amount. The student sees x = Q diag(√λ) z + μ 1 with
    a random rotation Q and λ spread evenly in log from largest to smallest, their ratio `condition_number` and their
    mean 1; μ is `mean_offset`, in mean standard deviations of a feature. z and the teacher have random streams of
    their own, so labels stay the same, bit for bit, whatever the conditioning.
    """
    options = _read(config, TeacherOptions)
    _check(options, positive=("rows", "features", "depth", "width"), at_least_one=("condition_number",))
    if options.classes == 1 or options.classes < 0:
        raise UserError(f"dataset.options.classes={options.classes}: expected 2 or more, or 0 for regression")
    whitened = _stream(options.seed, 0).standard_normal((options.rows, options.features))
    outputs = _teach(whitened, options)
    is_regression = options.classes == 0
    return Table(
        name=config.name,
        kind="regression" if is_regression else "classification",
        inputs=_condition(whitened, options),
        labels=outputs[:, 0] if is_regression else outputs.argmax(axis=1),
        class_names=() if is_regression else tuple(str(number) for number in range(options.classes)),
    )


@SOURCES.register("spirals")
def spirals(config: DatasetConfig) -> Table:
    """Return points on interleaved spirals in the plane, which no straight line separates.

    x = t (cos φ, sin φ) + noise, φ = 2π (turns t + arm / arms), t even in area: √ of a uniform number.
    """
    options = _read(config, SpiralsOptions)
    _check(options, positive=("rows", "turns"), not_negative=("noise",))
    if options.arms < 2:
        raise UserError(f"dataset.options.arms={options.arms}: expected 2 or more, each is a class")
    generator = _stream(options.seed, 0)
    labels = np.arange(options.rows) % options.arms
    radius = np.sqrt(generator.random(options.rows))
    angle = 2 * np.pi * (options.turns * radius + labels / options.arms)
    noise = options.noise * generator.standard_normal((options.rows, 2))
    return Table(
        name=config.name,
        kind="classification",
        inputs=radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]) + noise,
        labels=labels,
        class_names=tuple(f"arm {number}" for number in range(options.arms)),
        feature_names=("x", "y"),
    )


def _teach(whitened: NDArray[np.float64], options: TeacherOptions) -> NDArray[np.float64]:
    """Return (rows, classes or 1), each output of mean 0 and standard deviation 1."""
    generator = _stream(options.seed, 1)
    hidden = whitened
    for _ in range(options.depth):
        weights = generator.standard_normal((hidden.shape[1], options.width)) * np.sqrt(2 / hidden.shape[1])
        hidden = np.maximum(_product(hidden, weights), 0.0)
    outputs = _product(hidden, generator.standard_normal((options.width, max(options.classes, 1))))
    return (outputs - outputs.mean(axis=0)) / np.maximum(outputs.std(axis=0), np.finfo(np.float64).tiny)


def _condition(whitened: NDArray[np.float64], options: TeacherOptions) -> NDArray[np.float64]:
    spread = np.geomspace(1.0, 1.0 / options.condition_number, options.features)
    spread /= spread.mean()
    rotation = _random_rotation(options.features, _stream(options.seed, 2))
    return _product(whitened * np.sqrt(spread), rotation) + options.mean_offset


def _random_rotation(size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return a product of as many random reflections as there are features."""
    rotation = np.eye(size)
    for _ in range(size):
        normal = generator.standard_normal((size, 1))
        rotation -= (2 / np.square(normal).sum()) * normal * (normal * rotation).sum(axis=0)
    return rotation


def _product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix product, its terms added one after the other: the same bits on every machine, unlike BLAS."""
    total = np.zeros((len(left), right.shape[1]))
    for column, row in zip(left.T, right, strict=True):
        total += column[:, None] * row
    return total


def _stream(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


def _read(config: DatasetConfig, schema: type[Options]) -> Options:
    """Return the options of a generator, those not given at their defaults; each has the type of its default."""
    if config.path is not None:
        raise UserError(f"dataset.path={config.path}: '{config.name}' is generated and reads no file; expected null")
    known = asdict(schema())
    given: dict[str, Any] = {}
    for name, value in config.options.items():
        if name not in known:
            raise UserError(f"dataset.options.{name}: no option of '{config.source}'; {nearest(str(name), known)}")
        kind = type(known[name])
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole and (kind is int or not isinstance(value, float) or not np.isfinite(value)):
            raise UserError(f"dataset.options.{name}={value!r}: expected a {'whole ' if kind is int else ''}number")
        given[name] = kind(value)
    options = schema(**given)
    _check(options, not_negative=("seed",))
    return options


def _check(
    options: Any,
    *,
    positive: tuple[str, ...] = (),
    not_negative: tuple[str, ...] = (),
    at_least_one: tuple[str, ...] = (),
) -> None:
    for least, names in ((0, not_negative), (1, at_least_one)):
        for name in names:
            if getattr(options, name) < least:
                raise UserError(
                    f"dataset.options.{name}={getattr(options, name)}: expected a number of at least {least}"
                )
    for name in positive:
        if getattr(options, name) <= 0:
            raise UserError(f"dataset.options.{name}={getattr(options, name)}: expected a number above 0")
