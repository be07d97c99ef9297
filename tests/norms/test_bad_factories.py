"""A factory that is no norm, or cannot be called as one: the message says so, and what is expected."""

from collections.abc import Callable
from functools import partial
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.norms.arguments import require_arguments
from bnbench.norms.registration import Norm

STRANGERS = """
import sys
from abc import ABC, abstractmethod

from torch import nn

from bnbench import UserError

built = nn.LayerNorm(24)

class Mine(nn.Module):
    def __init__(self, num_features, *, eps=1e-5):
        super().__init__()
        raise ValueError(f"{eps}\\nis odd")

class Abstract(nn.Module, ABC):
    def __init__(self, num_features):
        super().__init__()
    @abstractmethod
    def forward(self, inputs): ...

class Weight(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.weight = linear.weight


def leaves(num_features): sys.exit(3)
def refuses(num_features): raise UserError("24 features are too many for me")
def nothing(num_features): nn.LayerNorm(num_features)
def a_class(num_features): return nn.LayerNorm
def a_number(num_features): return 0.5
def no_argument(): return nn.Identity()
def by_name(*, num_features): return nn.Identity()
def two_more(num_features, width, *, height): return nn.Identity()
def by_position(num_features, width, /): return nn.Identity()
def open_ended(num_features, size, **options): return nn.Identity()
"""


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "strangers.py").write_text(STRANGERS)
    invalidate_caches()


MORE = "beside its first argument {}, expected num_features alone: give"
FACTORY = "a factory that takes no more than that: def my_norm(num_features): return"
FIRST = "give a factory that takes it, def my_norm(num_features): return"
# class path, options, and what the message says after "norm 'CLASS_PATH"; one that ends in a space goes on
MESSAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "raises": (
        "strangers:Mine",
        {"eps": 0.1},
        "(eps=0.1)' cannot be built: Mine(24, eps=0.1) raised ValueError: 0.1 is odd",
    ),
    "leaves the process": ("strangers:leaves", {}, "' cannot be built: leaves(24) raised SystemExit: 3"),
    "returns a number": ("strangers:a_number", {}, "' returned a float, expected a torch.nn.Module"),
    "returns nothing": ("strangers:nothing", {}, "' returned nothing, expected a torch.nn.Module"),
    "returns a class": ("strangers:a_class", {}, "' returned the class LayerNorm, expected a torch.nn.Module"),
    "is of the other kind": (
        "strangers:Weight",
        {},
        (
            "' cannot be built: Weight(24) raised AttributeError: 'int' object has no attribute 'weight'; "
            "if it takes the torch.nn.Linear it replaces, it is of kind weight"
        ),
    ),
    "is told to be of the other kind": (
        "torch.nn:LayerNorm",
        {"kind": "weight", "bias": False},
        "(bias=false)' cannot be built: LayerNorm(Linear(in_features=17, out_features=24, bias=True), ",
    ),
    "needs another argument": (
        "torch.nn:GroupNorm",
        {},
        f"' needs num_channels {MORE.format('num_groups')} the option num_channels=VALUE, or {FACTORY} GroupNorm(…)",
    ),
    "needs two more": (
        "strangers:two_more",
        {},
        (
            f"' needs width and height {MORE.format('num_features')} the option width=VALUE and height=VALUE, "
            f"or {FACTORY} two_more(…)"
        ),
    ),
    "needs one of two": (
        "strangers:two_more",
        {"width": 2},
        f"' needs height {MORE.format('num_features')} the option height=VALUE, or {FACTORY} two_more(…)",
    ),
    "needs one that no option can be": (
        "strangers:by_position",
        {},
        f"' needs width {MORE.format('num_features')} {FACTORY} by_position(…)",
    ),
    "takes any option and needs one": (
        "strangers:open_ended",
        {"other": 1},
        f"' needs size {MORE.format('num_features')} the option size=VALUE, or {FACTORY} open_ended(…)",
    ),
    "takes no argument": ("strangers:no_argument", {}, "' takes no first argument, expected num_features"),
    "takes none of kind weight": (
        "strangers:no_argument",
        {"kind": "weight"},
        "' takes no first argument, expected the torch.nn.Linear it replaces",
    ),
    "takes it by name only": ("strangers:by_name", {}, "' takes no first argument, expected num_features"),
    "takes a switch first": (
        "torch.nn:ReLU",
        {},
        f"': its first argument is `inplace`, expected num_features: {FIRST} ReLU(…)",
    ),
    "takes a dimension first": (
        "torch.nn:Softmax",
        {},
        f"': its first argument is `dim`, expected num_features: {FIRST} Softmax(…)",
    ),
    "takes a share first": (
        "torch.nn:Dropout",
        {},
        f"': its first argument is `p`, expected num_features: {FIRST} Dropout(…)",
    ),
    "is abstract": (
        "strangers:Abstract",
        {},
        "' cannot be built: Abstract(24) raised TypeError: Can't instantiate abstract class Abstract ",
    ),
    "takes no such option": (
        "torch.nn:GroupNorm",
        {"num_chanels": 24},
        "' takes no option 'num_chanels'; did you mean 'num_channels'? Choose from: affine, ",
    ),
}
NO_FACTORIES = {
    "strangers:built": "=strangers:built is a LayerNorm already built",
    "collections:OrderedDict": "=collections:OrderedDict: the class OrderedDict is no torch.nn.Module",
}


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("case", MESSAGES)
def test_what_is_wrong_with_a_factory_is_said(case: str) -> None:
    class_path, options, rest = MESSAGES[case]
    message = f"norm '{class_path}{rest}"
    with pytest.raises(UserError) as refusal:
        build(class_path, options)
    said = str(refusal.value)
    assert said[: len(message)] == message
    assert len(said) == len(message) or message.endswith(" ")


def build(class_path: str, options: dict[str, Any]) -> None:
    chosen = choose_norm({"name": "custom", "class_path": class_path, **options})
    if chosen.norm.kind == "weight":
        chosen.replace(nn.Linear(17, 24), seed=0, name="layer")
    else:
        chosen.maker(0)(24)


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("options", [{"width": 1, "height": 2}])
def test_required_arguments_may_come_as_options(options: dict[str, Any]) -> None:
    build("strangers:two_more", options)


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("class_path", NO_FACTORIES)
def test_what_is_no_factory_is_said(class_path: str) -> None:
    expected = "expected a torch.nn.Module class or a function that returns one"
    with pytest.raises(UserError, match=f"^norm.class_path{NO_FACTORIES[class_path]}; {expected}$"):
        build(class_path, {})


@pytest.mark.usefixtures("strangers")
def test_refusal_in_a_norms_own_words_is_left_as_it_is() -> None:
    with pytest.raises(UserError, match=r"^24 features are too many for me$"):
        build("strangers:refuses", {})


def with_default(num_features: int = 64) -> nn.Module:
    return nn.LayerNorm(num_features)


def with_size(dim: int = 64) -> nn.Module:
    return nn.LayerNorm(dim)


def with_none(hidden_size: int | None = None) -> nn.Module:
    return nn.LayerNorm(hidden_size or 1)


def with_anything(*arguments: int, **options: float) -> nn.Module:
    return nn.LayerNorm(*arguments, **options)


def with_another_word(whatever: int) -> nn.Module:
    return nn.LayerNorm(whatever)


@pytest.mark.parametrize(
    "factory",
    [
        with_default,
        with_size,
        with_none,
        with_anything,
        with_another_word,
        lambda count, *, eps=1e-5: nn.LayerNorm(count, eps=eps),
        partial(nn.GroupNorm, 4),
        partial(nn.LayerNorm, eps=1e-3),
        nn.PReLU,
        nn.Identity,
    ],
)
def test_factory_that_takes_the_number_of_features_by_any_name_is_taken(factory: Callable[..., nn.Module]) -> None:
    require_arguments(Norm("mine", factory, "activation", 1, batch_coupled=False, minimum_batch=1), {})
