"""What the measurements of diagnostics are called on charts, and how to read them. Formulas: docs/diagnostics.md."""

from collections.abc import Mapping
from dataclasses import dataclass

INPUTS = ("activation_p15", "activation_p50", "activation_p85")
"""The percentiles that one chart shows together."""


@dataclass(frozen=True)
class Words:
    """What a measurement is called, what its axis says, and how to read it."""

    title: str
    axis: str
    reading: str
    line: float | None = None


WORDS: Mapping[str, Words] = {
    "activation_drift": Words(
        "How far the inputs have moved",
        "drift per evaluation",
        "Movement of the percentiles since the evaluation before, in units of their spread: lower is steadier.",
    ),
    "gradient_norm_slope": Words(
        "Do gradients explode or vanish in depth?",
        "growth of log ‖gradient‖² per layer",
        "Zero is a gradient of one size in every layer. Above, it vanishes on its way to the input; below, it grows.",
        line=0.0,
    ),
    "update_ratio": Words("How large is a step?", "‖ΔW‖ / ‖W‖", "Size of the last step against the weights it moved."),
    "angular_update": Words(
        "How far does a step turn?",
        "angle of a step, radians",
        "Angle between the weights before and after the last step: what a step does where only direction counts.",
    ),
    "dead_units": Words("Dead units", "share of units", "Units that are zero on every row of the probe batch."),
    "saturated_units": Words(
        "Saturated units", "share of activations", "Activations in the flat ends of the nonlinearity."
    ),
    "dormant_units": Words(
        "Dormant units", "share of units", "Units that are hardly ever active next to the others of their layer."
    ),
    "effective_rank": Words(
        "How many directions are in use?",
        "effective rank",
        "Effective rank of the last hidden layer's outputs: near 1, all rows look alike.",
    ),
    "loss_range": Words(
        "How rough is the loss?",
        "range of the loss along the gradient",
        "Largest less smallest loss along the gradient, for steps of half to four times the learning rate.",
    ),
    "gradient_predictiveness": Words(
        "Can the gradient be trusted?",
        "range of the change of the gradient",
        "How much the distance to the gradient varies along itself: lower, it goes on telling the truth.",
    ),
    "effective_smoothness": Words(
        "How smooth is the loss?", "effective β", "Largest change of the gradient per way along it: lower is smoother."
    ),
    "relative_smoothness": Words(
        "How smooth, whatever the size of the weights?",
        "effective β · ‖w‖ / ‖g‖",
        "The same for relative changes of weights and gradient: under a norm the size of the weights decides nothing.",
    ),
    "covariate_shift_distance": Words(
        "Internal covariate shift",
        "‖G − G′‖",
        "How much a layer's gradient changes when the layers below it take their step.",
    ),
    "covariate_shift_cosine": Words(
        "Internal covariate shift, as an angle",
        "cos(G, G′)",
        "Cosine between a layer's gradient before and after the layers below take their step: 1 is no shift.",
        line=1.0,
    ),
    "percentile_drift": Words(
        "Drift of single units",
        "drift per evaluation",
        "Movement of single units' percentiles since the evaluation before, in units of their spread.",
    ),
    "sharpness": Words("Sharpness", "largest curvature λ", "Largest eigenvalue of the Hessian of the loss."),
    "sharpness_times_half_rate": Words(
        "Can the learning rate be borne?",
        "λ · learning rate / 2",
        "Above 1, plain gradient descent on the local parabola would diverge.",
        line=1.0,
    ),
    "mode_gap": Words(
        "Training against evaluation",
        "gap of the loss",
        "Difference of the loss in training and in evaluation mode, on the same rows and weights.",
    ),
}
"""What is drawn, in this order; a measurement that is not here has a chart by its own name."""

NOT_DRAWN = frozenset(
    {
        *("activation_mean", "activation_deviation", *INPUTS, "unit_p15", "unit_p50", "unit_p85"),
        *("pre_activation_gradient_norm", "stable_rank", "wasserstein_distance"),
        *("relative_loss_range", "relative_gradient_change", "sharpness_times_squared_norm"),
        *("sharpness_iterations", "sharpness_converged"),
    }
)
"""What other charts say as well, or what only tells how a measurement went: in diagnostics.parquet all the same."""
