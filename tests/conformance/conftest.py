"""The planted wrong norms, loaded from the files beside."""

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn


@cache
def load(stem: str) -> ModuleType:
    name = f"conformance_{stem}"
    spec = spec_from_file_location(name, Path(__file__).parent / f"{stem}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # where `inspect` looks for the source of a class
    spec.loader.exec_module(module)
    return module


def planted(path: str) -> Callable[..., nn.Module]:
    stem, _, name = path.partition(":")
    return getattr(load(stem), name)


@pytest.fixture(scope="session")
def plant() -> Callable[[str], Callable[..., nn.Module]]:
    """The norm at `file:Name`, as in `plant("planted_state:Forgetful")`."""
    return planted
