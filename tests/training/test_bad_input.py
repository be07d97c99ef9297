"""What cannot be trained is refused before it trains, in one message that says what was given and what was expected."""

from collections.abc import Callable
from typing import Any

import pytest

from bnbench.errors import UserError
from bnbench.norms import NORMS, choose_norm
from bnbench.training.fit import check_training

CASES = [
    ({"budget__batch_size": 91}, r"budget.batch_size=91 is more than the 90 training rows of 'toy'"),
    (
        {"trainer__precision": "16"},
        r"trainer.precision='16': the loss scale .*Choose from: 32, 64, bf16",
    ),
    ({"trainer__precision": "8"}, r"trainer.precision='8': Choose from: 32, 64, bf16"),
    ({"trainer__devices": 2}, r"trainer.devices=2: arrays in memory stay in their process"),
    ({"trainer__devices": 17}, r"trainer.devices=17: budget.batch_size=16 leaves some without a row"),
    ({"optimizer__name": "lbfgs"}, r"optimizer 'lbfgs' is unknown or mixes .*Choose from: adam, adamw, momentum, sgd"),
    ({"optimizer__name": "adma"}, r"did you mean 'adam'\?"),
    ({"schedule__name": "linear"}, r"schedule 'linear' is unknown"),
]


@pytest.mark.parametrize(("changes", "message"), CASES)
def test_configuration_that_cannot_train_is_refused(
    configure: Callable[..., Any], task_of: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    config = configure(**changes)
    with pytest.raises(UserError, match=message):
        check_training(config, task_of(), choose_norm(config.norm))


@pytest.mark.parametrize("norm", NORMS.names())
def test_batch_of_one_is_refused_where_statistics_are_taken_over_the_batch(
    configure: Callable[..., Any], task_of: Callable[..., Any], norm: str
) -> None:
    config = configure(norm, budget__batch_size=1)
    if NORMS.get(norm).batch_coupled:
        with pytest.raises(UserError, match=rf"batch_size=1: norm '{norm}' takes statistics .* at least 2 rows"):
            check_training(config, task_of(), choose_norm(config.norm))
    else:
        check_training(config, task_of(), choose_norm(config.norm))


def test_whole_training_part_as_one_batch_is_allowed(
    configure: Callable[..., Any], task_of: Callable[..., Any]
) -> None:
    check_training(configure("batch", budget__batch_size=90), task_of(), choose_norm({"name": "batch"}))


@pytest.mark.parametrize("accelerator", ["tpu", "warp"])
def test_accelerator_that_is_not_here_is_refused_readably(train: Callable[..., Any], accelerator: str) -> None:
    with pytest.raises(UserError, match=rf"trainer.accelerator='{accelerator}' cannot be used here: "):
        train([0], trainer__accelerator=accelerator)
