"""Randomness: from where a layer draws, and when."""

from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, passed
from bnbench.conformance.passes import LONG_RUN, fixed_randomness, global_generators, restore, tensors_of, train
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.seeding import CounterRandom

DRAWN = (
    "whatever else draws gets other numbers for it, replicas share them, and no seed repeats the run; "
    "bnbench.seeding.CounterRandom draws on its own"
)


@check("global_generators_untouched")
def global_generators_untouched(subject: Subject) -> Outcome:
    """Forward and backward draw neither from torch's generator nor from Python's nor from NumPy's."""
    for training in (True, False):
        layer = subject.build().train(training)
        leaf = subject.inputs().requires_grad_()
        with fixed_randomness():
            before = global_generators()
            outputs = layer(leaf.clone())
            if outputs.requires_grad:
                outputs.sum().backward()
            after = global_generators()
        drawn = [name for name, state in after.items() if state != before[name]]
        if drawn:
            return failed(f"draws from {', '.join(drawn)} in {'training' if training else 'evaluation'}", DRAWN)
    layer = subject.build()
    with fixed_randomness():
        before = global_generators()
        for step in range(LONG_RUN):
            inputs = subject.inputs(seed=step)
            layer.train()(inputs)
            layer.eval()(inputs)
            drawn = [name for name, state in global_generators().items() if state != before[name]]
            if drawn:
                return failed(f"draws from {', '.join(drawn)} in step {step + 1}", DRAWN)
    return passed("torch's, Python's and NumPy's generators are where they were", "nobody else's draws are shifted")


@check("random_in_evaluation")
def random_in_evaluation(subject: Subject) -> Outcome:
    """Two evaluations of the same rows give the same outputs."""
    layer = subject.build()
    train(layer, subject)
    layer.eval()
    inputs = subject.inputs(seed=11)
    # what evaluation should not move and does is the matter of another check; but a counter of draws is randomness
    state = {name: tensor for name, tensor in tensors_of(layer).items() if name not in _counters(layer)}
    passes: list[Tensor] = []
    with fixed_randomness():  # which goes on from one pass to the next
        for _ in range(3):
            restore(layer, state)
            passes.append(layer(inputs.clone()).detach())
    difference = max(relative_change(passes[0], other) for other in passes[1:])
    if difference > 0:
        return failed(
            f"outputs of the same rows differ by {difference:.1e}", "a network's score would depend on the draw"
        )
    return passed("outputs of the same rows are equal", "a network has one score")


def _counters(layer: nn.Module) -> set[str]:
    return {
        f"{place}.{name}".removeprefix(".")
        for place, module in layer.named_modules()
        if isinstance(module, CounterRandom)
        for name, _ in module.named_buffers(recurse=False)
    }
