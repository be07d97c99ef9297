"""The rows of a task where training finds them: on the device, or in host memory or a file and copied by batches."""

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from bnbench.datasets import MappedRows, Task

PARTS = ("train", "validation", "test")


class TaskTensors(nn.Module):
    """The parts of a task, one copy for all replicas: inputs and labels by name.

    They are buffers, which lie wherever the network lies, in its precision; but inputs in a file stay there, and with
    `on_host` those in memory stay on the host (a device too small for them). Either way inputs have a length, a shape
    and slices.
    """

    train_inputs: "Tensor | HostRows"
    train_labels: Tensor
    validation_inputs: "Tensor | HostRows"
    validation_labels: Tensor
    test_inputs: "Tensor | HostRows"
    test_labels: Tensor

    def __init__(self, task: Task, *, on_host: bool = False) -> None:
        super().__init__()
        for part in PARTS:
            inputs = getattr(task, f"{part}_inputs")
            if on_host or isinstance(inputs, MappedRows):
                self.add_module(f"{part}_inputs", HostRows(inputs))
            else:
                self.register_buffer(f"{part}_inputs", inputs, persistent=False)
            self.register_buffer(f"{part}_labels", getattr(task, f"{part}_labels"), persistent=False)

    @property
    def inputs_on_host(self) -> bool:
        """Return whether row numbers are wanted on the CPU."""
        return isinstance(self.train_inputs, HostRows)

    def check_unchanged(self) -> None:
        """Raise UserError where a file that rows are cut from is not what it was."""
        for part in PARTS:
            inputs = getattr(self, f"{part}_inputs")
            if isinstance(inputs, HostRows):
                inputs.check_unchanged()

    def cut(
        self, rows: Int64[Tensor, "replicas batch"]
    ) -> tuple[Float[Tensor, "replicas batch features"], Shaped[Tensor, "replicas batch"]]:
        """Return the inputs and labels of training rows by their numbers."""
        held, labels = self.train_inputs, self.train_labels
        flat = rows.flatten()
        if isinstance(held, HostRows):
            inputs = held.take(flat).view(*rows.shape, -1)
            flat = flat.to(labels.device)
        else:
            # index_select and view in one call: a microsecond of the nine that a batch of one replica takes
            inputs = torch.embedding(held, rows)
        return inputs, labels.index_select(0, flat).view(rows.shape)


class HostRows(nn.Module):
    """Rows that stay in host memory or a file: what is cut from them comes on the device and in the precision to which
    this module was moved."""

    place: Tensor

    def __init__(self, rows: Tensor | MappedRows) -> None:
        super().__init__()
        self._rows = [rows]  # in a list, or torch would take a tensor for its own
        self.register_buffer("place", torch.empty(0), persistent=False)

    @property
    def shape(self) -> torch.Size:
        return self._rows[0].shape

    def __len__(self) -> int:
        return len(self._rows[0])

    def __getitem__(self, index: slice) -> Float[Tensor, "rows features"]:
        return self._rows[0][index].to(self.place)

    def check_unchanged(self) -> None:
        """Raise UserError where the rows are in a file and that has changed."""
        if isinstance(self._rows[0], MappedRows):
            self._rows[0].check_unchanged()

    def take(self, row_numbers: Int64[Tensor, " k"]) -> Float[Tensor, "k features"]:
        """Return the rows of these numbers, which are on the CPU."""
        rows = self._rows[0]
        cut = rows.take(row_numbers) if isinstance(rows, MappedRows) else rows.index_select(0, row_numbers)
        return cut.to(self.place)
