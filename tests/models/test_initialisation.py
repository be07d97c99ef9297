"""Same seed, same Linear weights under every norm; the spread each initialisation promises; seed 0 is a seed."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.models import INITIALISATIONS
from bnbench.models.initialisation import initialise
from bnbench.norms import NORMS


def linear_places(network: nn.Module) -> list[str]:
    return [place for place, module in network.named_modules() if isinstance(module, nn.Linear)]


def linear_weights(network: nn.Module, places: list[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Weights and biases by place, of a Linear or of the weight norm that stands for it: its only matrix."""
    found = {}
    for place in places:
        layer = network.get_submodule(place)
        (weight,) = [parameter for parameter in layer.parameters() if parameter.dim() == 2]
        found[place] = (weight, layer.get_parameter("bias"))
    return found


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
@pytest.mark.parametrize("norm", NORMS.names())
def test_linear_weights_are_the_same_under_every_norm(
    network: Callable[..., nn.Module], norm: str, initialisation: str
) -> None:
    options = {"initialisation": initialisation, "dropout": 0.3, "residual": True, "norm_placement": "after_activation"}
    plain, normed = (network(name, seed=5, **options) for name in ("none", norm))
    places = linear_places(plain)
    assert len(places) == 4
    weights = linear_weights(normed, places)
    for place, (weight, bias) in linear_weights(plain, places).items():
        assert torch.equal(weight, weights[place][0])
        assert torch.equal(bias, torch.zeros_like(bias))
        assert torch.equal(bias, weights[place][1])


def test_weight_norm_starts_as_the_same_function(network: Callable[..., nn.Module]) -> None:
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network("weight")(x), network("none")(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["he", "xavier", "lecun", "gaussian"])
def test_spread_is_that_of_the_formula(name: str) -> None:
    """200 × 300 normal draws: mean 0 and the variance within 5 standard errors, and the shape of a normal."""
    variance = {"he": 2 / 300, "xavier": 2 / 500, "lecun": 1 / 300, "gaussian": 0.05**2}[name]
    linear = nn.Linear(300, 200)
    initialise(linear, name=name, std=0.05, seed=0)
    values = linear.weight.detach().double().flatten() / math.sqrt(variance)
    count = len(values)
    assert abs(values.mean()) < 5 / math.sqrt(count)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 5 * math.sqrt(96 / count)
    assert not linear.bias.any()


@pytest.mark.parametrize("shape", [(20, 20), (30, 12), (12, 30)])
def test_orthogonal_weights_are_orthogonal(shape: tuple[int, int]) -> None:
    linear = nn.Linear(*shape)
    initialise(linear, name="orthogonal", std=1.0, seed=0)
    weight = linear.weight.detach()
    product = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    torch.testing.assert_close(product, torch.eye(len(product)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_every_seed_and_place_has_weights_of_its_own(network: Callable[..., nn.Module], name: str) -> None:
    """Seed 0 is seeded like any other; the two hidden layers of one shape differ as well."""
    places = ["hidden.0.linear", "hidden.1.linear"]
    weights = {
        (seed, place): weight
        for seed in (0, 1)
        for place, (weight, _) in linear_weights(network(seed=seed, initialisation=name, hidden=[8, 8]), places).items()
    }
    again = linear_weights(network(seed=0, initialisation=name, hidden=[8, 8]), places)
    assert torch.equal(weights[0, "hidden.0.linear"], again["hidden.0.linear"][0])
    values = list(weights.values())
    assert not any(torch.equal(one, other) for number, one in enumerate(values) for other in values[:number])


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_outer_random_state_and_threads_do_not_matter_and_are_left_alone(
    network: Callable[..., nn.Module], name: str
) -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    first = network(seed=3, initialisation=name, hidden=[100, 100])
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    torch.set_num_threads(2)
    try:
        second = network(seed=3, initialisation=name, hidden=[100, 100])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_unknown_initialisation_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"model.initialisation='xaver' is unknown; did you mean 'xavier'\?"):
        initialise(nn.Linear(2, 2), name="xaver", std=1.0, seed=0)
