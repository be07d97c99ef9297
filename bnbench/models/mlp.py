"""The multilayer perceptron every experiment configures. It never imports a norm: `make_norm` brings it."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError

MakeNorm = Callable[[int], nn.Module]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
}
NORM_PLACEMENTS = ("before_activation", "after_activation")


class Block(nn.Module):
    """One hidden layer: Linear, norm and activation in the chosen order, dropout; x + block(x) where `residual`.

    A norm that says `replaces_activation` is the layer's nonlinearity too: there is no other then.
    """

    def __init__(
        self,
        num_inputs: int,
        width: int,
        make_norm: MakeNorm,
        *,
        activation: str,
        norm_placement: str,
        residual: bool,
        dropout: float,
        alpha_dropout: bool,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(num_inputs, width)
        self.norm = make_norm(width)
        brings_its_own = bool(getattr(self.norm, "replaces_activation", False))
        self.activation = nn.Identity() if brings_its_own else ACTIVATIONS[activation]()
        drop = nn.AlphaDropout if alpha_dropout else nn.Dropout
        self.dropout = drop(dropout) if dropout > 0 else nn.Identity()
        self.norm_first = norm_placement == "before_activation"
        self.residual = residual and num_inputs == width

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch width"]:
        """Return the layer's output; the sum with its inputs only where both have the same width."""
        hidden = self.linear(inputs)
        hidden = self.activation(self.norm(hidden)) if self.norm_first else self.norm(self.activation(hidden))
        hidden = self.dropout(hidden)
        return inputs + hidden if self.residual else hidden


class MLP(nn.Module):
    """Hidden blocks and a Linear output: (batch, num_inputs) → (batch, num_outputs).

    `make_norm(num_features)` is called once per hidden width, and for the inputs (`input_norm`) and the outputs
    (`logits_norm`) when asked for. With `residual`, blocks whose width does not change add their input to their output.
    Raises UserError for a norm of the inputs or outputs that is a nonlinearity too: it would cut them off.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        make_norm: MakeNorm,
        *,
        hidden: Sequence[int] = (100, 100, 100),
        activation: str = "relu",
        norm_placement: str = "before_activation",
        residual: bool = False,
        dropout: float = 0.0,
        alpha_dropout: bool = False,
        input_norm: bool = False,
        logits_norm: bool = False,
    ) -> None:
        super().__init__()
        self.input_norm = _without_activation(make_norm(num_inputs), "input_norm") if input_norm else nn.Identity()
        self.hidden = nn.ModuleList(
            Block(
                before,
                width,
                make_norm,
                activation=activation,
                norm_placement=norm_placement,
                residual=residual,
                dropout=dropout,
                alpha_dropout=alpha_dropout,
            )
            for before, width in zip((num_inputs, *hidden), hidden, strict=False)
        )
        self.output = nn.Linear(hidden[-1] if hidden else num_inputs, num_outputs)
        self.logits_norm = _without_activation(make_norm(num_outputs), "logits_norm") if logits_norm else nn.Identity()

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return logits or predictions."""
        hidden = self.input_norm(inputs)
        for block in self.hidden:
            hidden = block(hidden)
        return self.logits_norm(self.output(hidden))


def _without_activation(norm: nn.Module, option: str) -> nn.Module:
    """Return the norm; raise UserError where it brings an activation to a place that has none."""
    if getattr(norm, "replaces_activation", False):
        raise UserError(
            f"model.{option}=true: {type(norm).__name__} replaces the activation, and no activation stands there; set "
            f"model.{option}=false, or leave out the norm's own (filter_response: norm.threshold=false)"
        )
    return norm
