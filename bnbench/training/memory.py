"""How many replicas fit into memory at once."""

import torch
from torch import nn

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.datasets.collectors import scores_kept
from bnbench.free_memory import free_host_bytes
from bnbench.training.data_order import order_dtype
from bnbench.training.diagnostics import DIAGNOSTICS
from bnbench.training.diagnostics.asked import asked_diagnostics
from bnbench.training.evaluation import EVALUATION_ROWS

# of a parameter: value, gradient, two moments of Adam, the copy at the best step, and one in passing
COPIES_PER_PARAMETER = 6
# of a layer's output in a training step: itself, what norm and activation keep for the backward pass, gradients
COPIES_PER_ACTIVATION = 12
# what is left to everything else on the machine
SHARE_OF_MEMORY = 0.5
# of a GPU's memory, what the inputs may take: twice as much is for replicas
SHARE_OF_INPUTS = 0.25


def replicas_that_fit(config: Config, task: Task, network: nn.Module) -> int:
    """Return how many replicas of this network can train together in half of the free memory; at least 1."""
    usable = SHARE_OF_MEMORY * free_bytes(config.trainer.accelerator)
    if not is_gpu(config.trainer.accelerator):
        usable /= config.trainer.devices  # each a process, and all in one memory
    return max(1, int(usable / bytes_per_replica(config, task, network)))


def bytes_per_replica(config: Config, task: Task, network: nn.Module) -> int:
    """Return an estimate from above of the memory one replica takes in training, evaluation and diagnostics."""
    bytes_per_number = 8 if config.trainer.precision == "64" else 4
    parameters = sum(parameter.numel() for parameter in network.parameters())
    widths = sum(parameter.shape[0] for parameter in network.parameters() if parameter.dim() == 2)
    rows = max(budget_of(config).batch_size, EVALUATION_ROWS + 1)  # a single row left over joins the last part
    copies = COPIES_PER_PARAMETER + max((DIAGNOSTICS.get(name).copies for name in asked_diagnostics(config)), default=0)
    numbers = copies * parameters + rows * (2 * task.num_features + COPIES_PER_ACTIVATION * widths)
    order = order_dtype(len(task.train_inputs)).itemsize * len(task.train_inputs)  # a permutation of the rows
    return bytes_per_number * numbers + order + _score_bytes(task)


def _score_bytes(task: Task) -> int:
    """Return the memory of what a metric keeps of every row until it is known, twice: one replica's are copied."""
    rows = max(len(task.validation_labels), len(task.test_labels))
    return 2 * 4 * scores_kept(task.metric_name, rows=rows, outputs=task.num_outputs)


def inputs_fit_on_device(config: Config, task: Task) -> bool:
    """Return whether the inputs go where the network goes; on a GPU they stay in host memory beyond a quarter of what
    is free there, and batches are copied."""
    if not is_gpu(config.trainer.accelerator):
        return True
    bytes_per_number = 8 if config.trainer.precision == "64" else 4
    numbers = sum(inputs.shape.numel() for inputs in (task.train_inputs, task.validation_inputs, task.test_inputs))
    return bytes_per_number * numbers <= SHARE_OF_INPUTS * free_bytes(config.trainer.accelerator)


def free_bytes(accelerator: str) -> int:
    """Return the free memory of the device that will train: of the GPU, or of this machine or container."""
    if is_gpu(accelerator):
        return int(torch.cuda.mem_get_info()[0])
    return free_host_bytes()


def is_gpu(accelerator: str) -> bool:
    """Return whether training on this accelerator happens on a GPU, on this machine."""
    return accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
