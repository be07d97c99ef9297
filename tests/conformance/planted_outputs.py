"""Layer norms whose outputs are wrong, each in one way."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """A right layer norm, to be spoiled."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def normed(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, inputs.shape[-1:], None, None)

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.normed(inputs) * self.weight + self.bias).to(inputs.dtype)


class SqueezesSingleRow(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).squeeze(0)


class DropsColumn(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs)[:, 1:]


class AnswersInFloat64(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs.double() if inputs.dtype == torch.float32 else outputs


class AnswersHalfInFloat32(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).to(torch.promote_types(inputs.dtype, torch.float32))


class ComputesInFloat32(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.float()).to(inputs.dtype)


class RefusesHalf(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dtype.itemsize < 4:
            raise RuntimeError(f"not implemented for {inputs.dtype}")
        return super().forward(inputs)


class WritesIntoInput(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        inputs -= inputs.detach().mean(1, keepdim=True)
        return super().forward(inputs)


class WritesWithoutGradients(Layer):
    """To save memory where no graph is recorded."""

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs if torch.is_grad_enabled() else inputs.copy_(outputs)


class WritesIntoEvenBatches(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs if len(inputs) % 2 else inputs.detach().sub_(inputs.detach().mean(1, True)))


class WritesIntoSlices(Layer):
    """What is not in one piece is put there in place."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs if inputs.is_contiguous() else inputs.detach().mul_(2))


class AnotherWithoutGradients(Layer):
    """A short cut for inference that leaves out the affine."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) if torch.is_grad_enabled() else self.normed(inputs)


class NormalizesSingleElements(Layer):
    """Over an axis of length 1, as of an image of one pixel: nothing of the input is left."""

    def normed(self, inputs: Tensor) -> Tensor:
        pixels = inputs.to(torch.promote_types(inputs.dtype, torch.float32)).unsqueeze(2)
        centred = pixels - pixels.mean(2, keepdim=True)
        return (centred * torch.rsqrt(centred.square().mean(2, keepdim=True) + 1e-5)).squeeze(2)


class RepeatsColumn(Layer):
    def normed(self, inputs: Tensor) -> Tensor:
        return inputs.mean(1, keepdim=True).expand_as(inputs)


class RepeatsRow(Layer):
    def normed(self, inputs: Tensor) -> Tensor:
        return super().normed(inputs).mean(0, keepdim=True).expand_as(inputs)


class WantsOnePiece(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.view(-1).view(inputs.shape))


class ReadsMemory(Layer):
    """From its beginning, whatever the strides say."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.as_strided(inputs.shape, (inputs.shape[1], 1)))


class RefusesSingleRowUnclearly(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and len(inputs) < 2:
            raise RuntimeError("shape mismatch")
        return super().forward(inputs)


class CannotEvaluateSingleRow(Layer):
    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training and len(inputs) < 2:
            raise ValueError("index out of range")
        return super().forward(inputs)


class NotFiniteOnSingleRow(Layer):
    """The unbiased variance over the batch, of one row 0/0."""

    def normed(self, inputs: Tensor) -> Tensor:
        rows = len(inputs) if self.training else 2
        return super().normed(inputs) * (torch.tensor(rows - 1.0) / (rows - 1)).to(inputs.dtype)
