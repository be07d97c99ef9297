"""The example of docs/norm_protocol.md does what the page says of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bnbench.errors import UserError
from bnbench.norms import BatchStatistics, Shard, choose_norm
from bnbench.training.fit import may_stack

PAGE = Path(__file__).parent.parent.parent / "docs" / "norm_protocol.md"


@pytest.fixture(scope="module")
def importable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user's folder with the example in a file."""
    place = tmp_path_factory.mktemp("user")
    text = PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (place / "half_norm.py").write_text(source, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        yield


@pytest.fixture
def config(importable: None) -> dict[str, Any]:
    return {"name": "custom", "class_path": "half_norm:HalfNorm", "kind": "activation", "momentum": 0.1, "noise": 0.1}


def test_example_stacks(configure: Callable[..., Any], task_of: Callable[..., Any], config: dict[str, Any]) -> None:
    assert may_stack(configure(config), task_of(), choose_norm(config))


def test_example_is_the_same_in_any_company(
    train: Callable[..., Any], assert_same: Callable[..., None], config: dict[str, Any]
) -> None:
    options = {"norm": config, "model__hidden": [13, 36], "model__dropout": 0.1, "budget__batch_size": 7}
    together = train([0, 1, 2], **options)
    assert_same(together.numbers(2), train([2], **options).numbers(0))


def test_noise_of_the_example_is_drawn_and_shifts_nothing_else(
    train: Callable[..., Any], config: dict[str, Any]
) -> None:
    noisy, quiet = (train([0], norm={**config, "noise": noise}, model__dropout=0.2).numbers(0) for noise in (0.1, 0.0))
    rows = "rows (step, train_loss, val_loss, val_metric, learning_rate)"
    assert (noisy[rows][0] == quiet[rows][0])[2:].all()
    assert noisy[rows][-1, 1] != quiet[rows][-1, 1]


def test_example_takes_its_statistics_from_the_primitive(config: dict[str, Any]) -> None:
    layer = choose_norm({**config, "noise": 0.0}).maker(0)(4)
    # three more rows of 1.0 on another rank: the mean is 5, the variance 16
    elsewhere = iter([torch.full((2,), 3.0), torch.full((2,), 48.0)])
    for module in layer.modules():
        if isinstance(module, BatchStatistics):
            module.shard = Shard(6, 0, sum=lambda sums: sums + next(elsewhere), maximum=lambda largest: largest)
    outputs = layer(torch.full((3, 4), 9.0))
    torch.testing.assert_close(outputs, torch.tensor([[1.0, 1.0, 9.0, 9.0]] * 3), rtol=1e-4, atol=0)


def test_example_refuses_what_cannot_work(config: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="HalfNorm: 1 feature has no half; expected at least 2"):
        choose_norm(config).maker(0)(1)
