"""What a layer remembers: all of it in state_dict, its own alone, moved by training alone."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bnbench.conformance.attributes import attributes_of, changed
from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import LONG_RUN, cotangent, fixed_randomness, outputs_of, repeats, tensors_of, train
from bnbench.conformance.registration import check
from bnbench.conformance.subject import NUM_ROWS, Subject
from bnbench.seeding import CounterRandom

# The same arithmetic on the same numbers: right layers differ by 0, and what is lost shows by 6e-3 and more. Between
# them lies what a kernel rounds by where a tensor begins in memory: 1e-7.
SAME = 1e-5


@check("identical_instances")
def identical_instances(subject: Subject) -> Outcome:
    """Two layers built alike from one seed compute the same, whatever other layers did before or between."""
    one, other = subject.build(), subject.build()
    for step in range(3):
        inputs = subject.inputs(seed=step)
        here = outputs_of(one, inputs)
        train(subject.build(seed=2), subject, steps=1, first_seed=20 + step)  # a stranger in between
        difference = relative_change(here, outputs_of(other, inputs))
        if difference > SAME:
            return failed(
                f"outputs of two instances of one seed differ by {difference:.1e} in step {step + 1} of training",
                "a global, a class attribute or another generator than torch's is part of the result: no run repeats",
            )
    here = outputs_of(one.eval(), subject.inputs())
    train(subject.build(seed=2), subject, steps=1, first_seed=30)
    difference = relative_change(here, outputs_of(other.eval(), subject.inputs()))
    if difference > SAME:
        return failed(
            f"outputs of two instances of one seed differ by {difference:.1e} in evaluation",
            "what other instances did is part of the result: no run repeats",
        )
    return passed("outputs equal in training and evaluation", "nothing but the layer's own seed and state matters")


@check("state_in_state_dict")
def state_in_state_dict(subject: Subject) -> Outcome:
    """A fresh layer that loads the state of a trained one goes on like it, built from the same seed or from another."""

    def loaded(seed: int) -> Callable[[nn.Module], nn.Module]:
        def load(trained: nn.Module) -> nn.Module:
            fresh = subject.build(seed=seed)
            fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
            return fresh

        return load

    for seed, words in ((0, "the same seed"), (1, "another seed")):
        lost = _lost(subject, loaded(seed))
        if lost is None:
            return not_applicable("two layers of one seed already differ without a state_dict")
        what, difference = lost
        if difference > SAME:
            return failed(
                f"loaded into a layer of {words}: {what} off by {difference:.1e}",
                "something it computes with is no parameter and no persistent buffer: a run that is resumed goes wrong",
            )
    return _attributes_in_state_dict(subject)


def _attributes_in_state_dict(subject: Subject) -> Outcome:
    """Look for what acts late, or has not acted yet: attributes that a loaded layer does not get back in a step."""
    trained, fresh = _trained(subject, steps=LONG_RUN), subject.build()
    fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
    for step in range(LONG_RUN):
        here, there = (outputs_of(layer.train(), subject.inputs(seed=step)) for layer in (trained, fresh))
        difference = relative_change(here, there)
        if difference > SAME:
            return failed(
                f"loaded after {LONG_RUN} steps: the output of step {step + 1} off by {difference:.1e}",
                "something it computes with is no parameter and no persistent buffer: a run that is resumed goes wrong",
            )
        # what a step makes anew from the inputs and the state is no memory
        if step == 0 and (names := changed(attributes_of(trained), attributes_of(fresh))):
            return failed(
                f"{', '.join(names)} moved in training and not in state_dict",
                "whatever it is for, a run that is resumed starts it anew: hold it in a buffer",
            )
    return passed(
        f"equal after load_state_dict, over the next {LONG_RUN} steps, all that moved is in it", "a run can be resumed"
    )


@check("deepcopy_keeps_state")
def deepcopy_keeps_state(subject: Subject) -> Outcome:
    """A deep copy goes on like the original, and training it leaves the original as it was."""
    original, twin = _trained(subject), _trained(subject)
    try:
        train(copy.deepcopy(original), subject, first_seed=20)
    except RuntimeError as error:  # what torch raises for a tensor that has a history
        return failed(f"{error}".splitlines()[0], "the layer cannot be copied: no averaging of weights, no ensembles")
    lost = _lost(subject, copy.deepcopy)
    if lost is None:
        return not_applicable("two layers of one seed already differ without a copy")
    what, difference = _difference(original, twin, subject)
    if difference > SAME:
        return failed(
            f"after training the copy, {what} of the original off by {difference:.1e}",
            "original and copy share state: the best model kept aside moves on with training",
        )
    what, difference = lost
    if difference > SAME:
        return failed(f"of the copy: {what} off by {difference:.1e}", "a copy of the network computes something else")
    return passed("the copy goes on alike, and the original stays as it was", "the network can be copied")


@check("evaluation_keeps_state")
def evaluation_keeps_state(subject: Subject) -> Outcome:
    """Evaluation moves no parameter and no buffer, and the same rows evaluated later give the same outputs."""
    layer = _trained(subject).eval()
    before = tensors_of(layer)
    first = outputs_of(layer, subject.inputs())
    outputs_of(layer, subject.inputs(seed=20) * 3 + 1)
    moved = _moved(before, tensors_of(layer))
    if moved:
        return failed(f"{', '.join(moved)} moved", "looking at the test rows changes the network")
    difference = relative_change(first, outputs_of(layer, subject.inputs()))
    if difference > SAME:
        return failed(
            f"outputs of the same rows differ by {difference:.1e} after other rows were evaluated",
            "something outside the buffers moves in evaluation: the score depends on the order of the rows",
        )
    alone, again, after = (_trained(subject).eval() for _ in range(3))
    outputs_of(after, subject.inputs(seed=20) * 3 + 1)
    expected, repeated, seen = (outputs_of(layer, subject.inputs()) for layer in (alone, again, after))
    difference = relative_change(expected, seen)
    if difference > SAME >= relative_change(expected, repeated):
        return failed(
            f"outputs differ by {difference:.1e} where other rows were evaluated before",
            "what it computed of the first rows is kept for all that follow: the score depends on their order",
        )
    return passed(f"{len(before)} tensors unmoved", "evaluating leaves the network as it is")


@check("state_keeps_shape")
def state_keeps_shape(subject: Subject) -> Outcome:
    """Parameters and buffers keep names, shapes and precision, whatever the size of the batches."""
    layer = subject.build()
    before = _shapes(layer)
    for seed, rows in enumerate((NUM_ROWS, 2, 7)):
        outputs_of(layer.train(), subject.inputs(rows, seed=seed))
        outputs_of(layer.eval(), subject.inputs(rows, seed=seed))
        after = _shapes(layer)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        if changed:
            name = changed[0]
            return failed(
                f"{name}: {before.get(name, 'absent')} → {after.get(name, 'absent')} after a batch of {rows}",
                "its state_dict does not load into a fresh layer, and replicas cannot be stacked",
            )
    return passed(f"{len(before)} tensors keep their shape", "state_dict always fits")


@check("gradient_checkpointing")
def gradient_checkpointing(subject: Subject) -> Outcome:
    """Under torch.utils.checkpoint, which runs forward twice, state and gradients are as without."""
    plain, twice = subject.build(), subject.build()
    inputs = subject.inputs()
    expected = _gradients(plain, inputs, checkpointed=False)
    try:
        found = _gradients(twice, inputs, checkpointed=True)
    except RuntimeError as error:  # torch's, where the second pass does not repeat the first
        return noted(f"refused: {error}".splitlines()[0], "the network cannot be trained under gradient checkpointing")
    difference = max(relative_change(expected[name], found[name]) for name in expected)
    moved = _moved(_buffers(plain), _buffers(twice))
    if difference > SAME and repeats(subject):
        draws = any(isinstance(module, CounterRandom) for module in plain.modules())
        return noted(
            f"gradients off by {difference:.1e}" + (f"; {', '.join(moved)} moved twice in a step" if moved else ""),
            "a norm that draws draws anew in the second pass: the gradient is not that of the outputs"
            if draws
            else "what the first pass moved is part of the second: the gradient is not that of the outputs",
        )
    if moved:
        return noted(
            f"{', '.join(moved)} moved twice in a step",
            "as torch's own running statistics do: with checkpointing they forget faster",
        )
    return passed(f"{len(_buffers(plain))} buffers as without", "a layer to be checkpointed without a thought")


def _gradients(layer: nn.Module, inputs: Tensor, *, checkpointed: bool) -> dict[str, Tensor]:
    leaf = inputs.clone().requires_grad_()
    with fixed_randomness():
        given = leaf.clone()  # which the layer may write into
        _backward(checkpoint(layer, given, use_reentrant=False) if checkpointed else layer(given))
    named = [("input", leaf), *layer.named_parameters()]
    return {name: torch.zeros_like(value) if value.grad is None else value.grad for name, value in named}


def _backward(outputs: Tensor) -> None:
    if outputs.requires_grad:
        outputs.backward(cotangent(outputs))


def _trained(subject: Subject, *, steps: int = 3) -> nn.Module:
    layer = subject.build()
    train(layer, subject, steps=steps)
    return layer


def _lost(subject: Subject, successor: Callable[[nn.Module], nn.Module]) -> tuple[str, float] | None:
    """Return in what a trained layer and its successor differ most; None where layers trained alike differ anyway."""
    if _difference(_trained(subject), _trained(subject), subject)[1] > SAME:
        return None
    trained = _trained(subject)
    return _difference(trained, successor(trained), subject)


def _difference(one: nn.Module, other: nn.Module, subject: Subject) -> tuple[str, float]:
    """Return the first difference in an evaluation, the next two training steps and the evaluation after them."""
    difference = relative_change(*(outputs_of(layer.eval(), subject.inputs(seed=11)) for layer in (one, other)))
    if difference > SAME:
        return "evaluation", difference
    for seed in (12, 13):
        difference = relative_change(*(outputs_of(layer.train(), subject.inputs(seed=seed)) for layer in (one, other)))
        if difference > SAME:
            return "the next training step", difference
    difference = relative_change(*(outputs_of(layer.eval(), subject.inputs(seed=11)) for layer in (one, other)))
    return "evaluation after the next training steps", difference


def _moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[str]:
    return [name for name in before if name in after and _differs(before[name], after[name])]


def _differs(one: Tensor, other: Tensor) -> bool:
    """Return whether a value is another; NaN that stays NaN has not moved."""
    if one.shape != other.shape:
        return True
    return not bool(((one == other) | (one.isnan() & other.isnan())).all())


def _buffers(layer: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in layer.named_buffers()}


def _shapes(layer: nn.Module) -> dict[str, str]:
    return {
        name: f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
        for name, tensor in tensors_of(layer).items()
    }
