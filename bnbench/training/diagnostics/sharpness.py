"""The largest curvature of the loss, against what the learning rate can bear."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bnbench.seeding import CounterRandom
from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.flat import Vectors, dot, flat, norm
from bnbench.training.diagnostics.mode_gap import probe_batch
from bnbench.training.diagnostics.moment import Batch, Moment

TOLERANCE = 1e-3
# each costs one to two steps; where the first evaluation left off the later ones go on
MAX_ITERATIONS_AT_FIRST = 10
MAX_ITERATIONS = 4
# of the weights: a basis of so many, the graph of the gradient, and what passes; 26 were measured
COPIES = MAX_ITERATIONS_AT_FIRST + 18
# of the direction that would have come next, in the start of the next evaluation: from the vector found alone it would
# stay with an eigenvalue that another has overtaken
SHARE_OF_NEXT = 0.1

Product = Callable[[Vectors], Vectors]


@diagnostic("sharpness", copies=COPIES)
def measure_sharpness(moment: Moment) -> list[Measurement]:
    """Measure λ, the largest eigenvalue of the Hessian of the loss by all trained parameters.

    sharpness = λ; sharpness_times_half_rate = λ η / 2, above 1 where gradient descent on the quadratic would diverge;
    sharpness_times_squared_norm = λ ‖w‖², which rescaling the weights under a norm does not change;
    sharpness_iterations and sharpness_converged (0 or 1) say what the iteration did. One that has not converged gives
    what it has, never more than λ, and goes on from there at the next evaluation.

    In training mode, on the first probe rows, as many as a minibatch has.
    Source: Cohen et al. 2021 (arXiv:2103.00065) for 2 / η.
    """
    weights = flat(list(moment.weights.values()))
    is_first = "vector" not in moment.memory
    start = start_vector(weights) if is_first else moment.memory["vector"]
    most = MAX_ITERATIONS_AT_FIRST if is_first else MAX_ITERATIONS
    found = top_eigenvalue(hessian_product(moment, probe_batch(moment)), start, max_iterations=most)
    moment.memory["vector"] = found.vector
    return [
        Measurement("sharpness", "", found.value),
        Measurement("sharpness_times_half_rate", "", found.value * moment.learning_rates / 2),
        Measurement("sharpness_times_squared_norm", "", found.value * dot(weights, weights)),
        Measurement("sharpness_iterations", "", found.iterations.double()),
        Measurement("sharpness_converged", "", found.converged.double()),
    ]


def hessian_product(moment: Moment, batch: Batch) -> Product:
    """Return v ↦ Hv, H being the Hessian of each replica's loss on the batch in training mode; v as `flat` has it.

    Reverse over reverse: the gradient is made once, and every product is one more way back through it.
    """
    point = {name: weights.clone().requires_grad_() for name, weights in moment.weights.items()}
    gradients = moment.gradients(batch, weights=point, create_graph=True).weights
    with torch.enable_grad():
        gradient = flat([gradients[name] for name in point])

    def product(vectors: Vectors) -> Vectors:
        found = torch.autograd.grad(gradient, list(point.values()), vectors, retain_graph=True, materialize_grads=True)
        return flat(found)

    return product


@dataclass(frozen=True)
class Eigenvalue:
    """What the iteration found, per replica; `vector` is where the next one starts."""

    value: Float[Tensor, " replicas"]
    iterations: Int64[Tensor, " replicas"]
    converged: Bool[Tensor, " replicas"]
    vector: Vectors


def top_eigenvalue(
    product: Product, start: Vectors, *, max_iterations: int, tolerance: float = TOLERANCE
) -> Eigenvalue:
    """Return the largest eigenvalue, by value and not by magnitude, of every replica's symmetric matrix H.

    Power iteration that forgets nothing: v, Hv, H²v, … are made orthonormal, and θ is the largest eigenvalue of H in
    the space they span (Lanczos 1950). From as many products it makes more than power iteration does, and no negative
    eigenvalue of larger magnitude takes the place of the largest. θ is never above that. It counts as found when
    ‖Hu − θu‖² ≤ tolerance · θ², u being its vector: the relative error of θ is then at most tolerance · θ / (distance
    to the next eigenvalue), if that is the one found.

    `product` is v ↦ Hv of all replicas at once; what one has found is not changed by those that still go on. `start`
    need not be of length 1; the vector returned is where to go on, if H has changed a little. A replica whose products
    are not finite has the value NaN.
    """
    held = start.new_empty(len(start), max_iterations, start.shape[1])
    projected = start.new_zeros(len(start), max_iterations, max_iterations, dtype=torch.float64)
    value, vector, upcoming = projected.new_full((len(start),), torch.nan), start, start
    iterations = torch.zeros_like(value, dtype=torch.int64)
    going, converged = torch.ones_like(iterations, dtype=torch.bool), torch.zeros_like(iterations, dtype=torch.bool)
    for count in range(1, max_iterations + 1):
        held[:, count - 1] = _normed(upcoming)
        basis = held[:, :count]
        image = product(held[:, count - 1])
        column = _coefficients(basis, image)
        upcoming = image - _combination(basis, column)
        upcoming = upcoming - _combination(basis, _coefficients(basis, upcoming))  # once more: rounding
        projected[:, :count, count - 1] = projected[:, count - 1, :count] = column.double()
        found = torch.linalg.eigh(projected[:, :count, :count].nan_to_num(0.0, 0.0, 0.0))
        theta, direction = found.eigenvalues[:, -1], found.eigenvectors[:, :, -1]
        residual = norm(upcoming) * direction[:, -1].abs()
        finite = torch.isfinite(column).all(1) & torch.isfinite(residual)
        value = torch.where(going, torch.where(finite, theta, torch.nan), value)
        iterations += going
        converged |= going & finite & (residual.square() <= tolerance * theta.square())
        ending = going & finite & (converged | (count == max_iterations))
        if bool(ending.any()):
            onward = _combination(basis, direction.to(basis.dtype)) + SHARE_OF_NEXT * _normed(upcoming)
            vector = torch.where(ending[:, None], onward, vector)
        going &= finite & ~converged
        if not bool(going.any()):
            break
    return Eigenvalue(value, iterations, converged, vector)


def start_vector(like: Vectors) -> Vectors:
    """Return Gaussian numbers by hash, the same for every replica and on every device; no stream is touched."""
    random = CounterRandom().to(like.device)
    return random.normal(like[0]).expand_as(like).contiguous()


def _coefficients(
    basis: Float[Tensor, "replicas directions parameters"], vectors: Vectors
) -> Float[Tensor, "replicas directions"]:
    return (basis @ vectors[:, :, None]).squeeze(2)


def _combination(
    basis: Float[Tensor, "replicas directions parameters"], coefficients: Float[Tensor, "replicas directions"]
) -> Vectors:
    return (coefficients[:, None, :] @ basis).squeeze(1)


def _normed(vectors: Vectors) -> Vectors:
    """Return the vectors at length 1; zeros stay zeros."""
    length = norm(vectors)[:, None].to(vectors.dtype)
    return vectors / torch.where(length == 0, 1.0, length)
