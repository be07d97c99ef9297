"""The one small registry."""

import pytest

from bnbench.errors import UserError, nearest
from bnbench.registry import Registry


def colours() -> Registry[int]:
    registry: Registry[int] = Registry("colour")
    registry.add("red", 1)
    registry.add("blue", 2)
    return registry


def test_what_was_added_is_found_and_named_in_order() -> None:
    assert (colours().get("red"), colours().get("blue"), colours().names()) == (1, 2, ("blue", "red"))


def test_decorator_adds_and_returns_what_it_decorates() -> None:
    registry: Registry[object] = Registry("thing")

    @registry.register("made")
    def made() -> int:
        return 3

    assert registry.get("made") is made
    assert made() == 3


def test_name_that_is_taken_is_refused_and_the_first_stays() -> None:
    registry = colours()
    with pytest.raises(ValueError, match="colour 'red' is registered twice: 1 and 5"):
        registry.add("red", 5)
    assert registry.get("red") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rde", r"unknown colour 'rde'; did you mean 'red'\? Choose from: blue, red$"),
        ("zzz", r"unknown colour 'zzz'; Choose from: blue, red$"),
        ("", r"unknown colour ''; Choose from: blue, red$"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest_and_all(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        colours().get(name)


def test_nothing_registered_is_said() -> None:
    assert nearest("x", []) == "Choose from: (nothing is registered)"
