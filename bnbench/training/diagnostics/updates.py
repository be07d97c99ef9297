"""How far the last step moved the weights, in length and in direction."""

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment


@diagnostic("updates")
def updates(moment: Moment) -> list[Measurement]:
    """Measure the last step of the optimizer, from W to W′, of every layer: nothing at step 0.

    update_ratio = ‖W′ − W‖ / ‖W‖; angular_update = the angle between W and W′, all weights of the layer as one vector.
    Units: none, radians.
    Source: the angle is that of Wan et al. 2021 (arXiv:2006.08419), whose size in equilibrium is √(2ηλ).
    """
    if moment.weights_before is None:
        return []
    weights = moment.weights
    found = []
    for layer, names in moment.network.weights.items():
        before, after = (_vector([held[name] for name in names]) for held in (moment.weights_before, weights))
        found += [
            Measurement("update_ratio", layer, (after - before).norm(dim=1) / before.norm(dim=1)),
            Measurement("angular_update", layer, angle_between(before, after)),
        ]
    return found


def angle_between(
    one: Float[Tensor, "replicas numbers"], other: Float[Tensor, "replicas numbers"]
) -> Float[Tensor, " replicas"]:
    """Return the angle between two vectors, 0 to π: 2 atan2(‖u − v‖, ‖u + v‖) of their directions u and v.

    The arc cosine of their product has no digits left for the angle of a small step.
    """
    first, second = (vector / vector.norm(dim=1, keepdim=True) for vector in (one, other))
    return 2 * torch.atan2((first - second).norm(dim=1), (first + second).norm(dim=1))


def _vector(tensors: list[Tensor]) -> Float[Tensor, "replicas numbers"]:
    return torch.cat([tensor.flatten(1) for tensor in tensors], dim=1).double()
