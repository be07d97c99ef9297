"""Every planted wrong norm fails the checks that are meant, and no others of these themes."""

import warnings
from collections.abc import Callable

import pytest
from torch import nn

from bnbench.conformance import checks as checks  # registers them
from bnbench.conformance.finding import Outcome, Verdict
from bnbench.conformance.passes import global_generators
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.subject import subject_of
from bnbench.norms import NORMS

pytestmark = pytest.mark.slow  # every check on every norm: minutes

Plant = Callable[[str], Callable[..., nn.Module]]

THEMES = ("outputs", "finite", "gradients", "state", "randomness", "half_precision", "float32", "autocast")
NAMES = [name for name in CHECKS.names() if CHECKS.get(name).__module__.rpartition(".")[2] in THEMES]

# Squares of 1e-20 are 0 in float32: what divides by 0 for zeros does so for these.
ZEROS = {"finite_on_zeros", "finite_on_tiny_inputs"}

FAILS = {
    "planted_outputs:SqueezesSingleRow": {"output_shape"},
    "planted_outputs:DropsColumn": {"output_shape"},
    "planted_outputs:AnswersInFloat64": {"output_dtype"},
    "planted_outputs:AnswersHalfInFloat32": {"other_precisions"},
    "planted_outputs:WritesIntoInput": {"input_unchanged"},
    "planted_outputs:WritesWithoutGradients": {"input_unchanged"},
    "planted_outputs:WritesIntoEvenBatches": {"input_unchanged"},
    "planted_outputs:WritesIntoSlices": {"input_unchanged"},
    "planted_outputs:AnotherWithoutGradients": {"input_unchanged"},
    "planted_outputs:NormalizesSingleElements": {"output_varies"},
    "planted_outputs:RepeatsColumn": {"output_varies"},
    "planted_outputs:RepeatsRow": {"output_varies"},
    "planted_outputs:WantsOnePiece": {"memory_layout"},
    "planted_outputs:ReadsMemory": {"memory_layout"},
    "planted_outputs:CannotEvaluateSingleRow": {"batch_of_one"},
    "planted_outputs:NotFiniteOnSingleRow": {"batch_of_one"},
    "planted_numerics:GuardsWholeBatches": {"finite_on_dead_row", *ZEROS},
    # what rounding leaves of the deviations of equal values is not 0 in all features; squares of 1e-20 are
    "planted_numerics:GuardsWholeFeatures": {
        "finite_on_dead_feature",
        "finite_on_constant_features",
        "finite_on_tiny_inputs",
    },
    "planted_numerics:RootMeanSquareWithoutEpsilon": {"finite_on_dead_row", *ZEROS},
    "planted_numerics:LayerWithoutEpsilon": {"finite_on_constant_rows", "finite_on_dead_row", *ZEROS},
    "planted_numerics:BatchWithoutEpsilon": {"finite_on_constant_features", "finite_on_dead_feature", *ZEROS},
    "planted_numerics:UnbiasedByTwo": {"finite_on_two_rows"},
    "planted_numerics:DifferenceOfSquares": {"finite_on_offset", "float32_at_offset"},
    "planted_precision:ClampedDifference": {"float32_at_offset"},
    # what has the digits of bfloat16 has them at an offset too
    "planted_precision:MeanAsProduct": {"autocast"},
    "planted_precision:RunningMeanInHalf": {"half_precision_statistics"},
    "planted_precision:AlwaysInHalf": {"float32_inside", "float32_at_offset"},
    "planted_numerics:NinthPower": {"finite_on_large_inputs"},
    # an offset of 1e4 is large as well
    "planted_numerics:SoftWeights": {"finite_on_large_inputs", "finite_on_offset"},
    # nothing is right of it but at an offset, where every mean is positive; of float16 the true number is NaN too
    "planted_numerics:LogarithmOfMean": {
        name for name in NAMES if name.startswith("finite_on_") and name != "finite_on_offset"
    },
    "planted_numerics:SumInHalf": {"finite_in_float16"},
    "planted_numerics:LayerInHalf": {"half_precision_at_offset"},
    "planted_numerics:BatchInHalf": {"half_precision_at_offset"},
    "planted_numerics:RootMeanSquareInHalf": {"half_precision_at_large_values"},
    "planted_numerics:WeightCentredInHalf": {"half_precision_at_offset"},
    "planted_numerics:WeightSquaredInHalf": {"half_precision_at_large_values"},
    "planted_gradients:DetachedInput": {"gradient_to_input"},
    "planted_gradients:DetachedFirstFeature": {"gradient_to_input"},
    "planted_gradients:WithoutGradient": {"gradient_to_input", "gradients_to_parameters"},
    "planted_gradients:DetachedGain": {"gradients_to_parameters"},
    "planted_state:PlainAttribute": {"state_in_state_dict"},
    "planted_state:NotPersistent": {"state_in_state_dict"},
    "planted_state:PythonCounter": {"state_in_state_dict"},
    "planted_state:LateCounter": {"state_in_state_dict"},
    "planted_state:ConstructorDraw": {"state_in_state_dict"},
    "planted_state:ForgetsInCopy": {"deepcopy_keeps_state"},
    "planted_state:SharesInCopy": {"deepcopy_keeps_state"},
    "planted_state:KeepsGraph": {"deepcopy_keeps_state"},
    "planted_state:InstanceCounter": {"identical_instances"},
    "planted_state:NumpyInConstructor": {"identical_instances"},
    "planted_state:ClassMean": {"identical_instances"},
    "planted_state:LearnsInEvaluation": {"evaluation_keeps_state"},
    "planted_state:FirstEvaluation": {"evaluation_keeps_state"},
    "planted_state:CachesInEvaluation": {"evaluation_keeps_state"},
    "planted_state:GrowingBuffer": {"state_keeps_shape"},
    "planted_state:LateBuffer": {"state_keeps_shape"},
    "planted_state:DropsOut": {"global_generators_untouched"},
    "planted_state:DropsOutLate": {"global_generators_untouched"},
    "planted_state:PythonRandom": {"global_generators_untouched"},
    "planted_state:NumpyRandom": {"global_generators_untouched"},
    # what is random in evaluation draws from somewhere: a global generator, or a counter that moves
    "planted_state:DropsOutInEvaluation": {"random_in_evaluation", "global_generators_untouched"},
    "planted_state:OwnRandomInEvaluation": {"random_in_evaluation", "evaluation_keeps_state"},
}

# What is no defect but worth knowing: the check that notes it, and a word of what it says.
NOTES = {
    "planted_outputs:ComputesInFloat32": ("other_precisions", "float64 is computed in float32"),
    "planted_outputs:RefusesHalf": ("other_precisions", "float16 refused: RuntimeError: not implemented"),
    "planted_outputs:RefusesSingleRowUnclearly": ("batch_of_one", "RuntimeError in training: shape mismatch"),
    "planted_numerics:WeightWithoutEpsilon": ("finite_from_zero_weights", "the output in training"),
    "planted_gradients:DetachedStatistic": ("gradients_exact", "input in training"),
    "planted_gradients:DetachedFeature": ("gradients_exact", "input in training"),
    "planted_gradients:UnusedGain": ("gradients_to_parameters", "weight: no influence"),
    "planted_state:Centring": ("gradient_checkpointing", "running_mean moved twice"),
    "torch.nn:BatchNorm1d": ("batch_of_one", "Expected more than 1 value per channel"),
    "batch": ("gradient_checkpointing", "running_mean, running_variance moved twice"),
}


def outcomes_of(target: str | Callable[..., nn.Module], *, is_weight: bool = False) -> dict[str, Outcome]:
    subject = subject_of(target, kind="weight" if is_weight else None)
    outcomes: dict[str, Outcome] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as the suite does
        for name in NAMES:
            try:
                outcomes[name] = CHECKS.get(name)(subject)
            except Exception as error:
                raise AssertionError(f"{name} raised where it should judge") from error
    return outcomes


def failed(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: found.measured for name, found in outcomes.items() if found.verdict is Verdict.FAIL}


@pytest.mark.parametrize("path", FAILS)
def test_planted_norm_fails_the_checks_meant_and_no_others(plant: Plant, path: str) -> None:
    found = failed(outcomes_of(plant(path), is_weight=":Weight" in path))
    assert set(found) == FAILS[path], found


def test_every_check_of_these_themes_has_a_planted_norm_that_fails_it() -> None:
    """But the two that only ever note, and the one of a stopped gradient."""
    only_notes = {"gradients_exact", "gradient_checkpointing", "finite_from_zero_weights"}
    assert set.union(*FAILS.values()) | only_notes == set(NAMES)


@pytest.mark.parametrize("path", NOTES)
def test_what_is_no_defect_is_noted(plant: Plant, path: str) -> None:
    check, words = NOTES[path]
    outcomes = outcomes_of(plant(path) if path.startswith("planted") else path, is_weight=":Weight" in path)
    assert not failed(outcomes)
    assert outcomes[check].verdict is Verdict.NOTE
    assert words in outcomes[check].measured


@pytest.mark.parametrize("check", ["half_precision_at_offset", "half_precision_at_large_values"])
@pytest.mark.parametrize("name", NORMS.names())
def test_registered_norms_take_their_statistics_in_float32_even_where_their_parameters_are_in_half(
    name: str, check: str
) -> None:
    assert CHECKS.get(check)(subject_of(name)).verdict is Verdict.PASS


def test_batch_norm_with_nothing_of_its_own_takes_its_statistics_in_float32() -> None:
    """Torch's kernel then has no tensor in float32 to go by, in mixed precision either."""
    subject = subject_of("batch", options={"affine": False, "running_statistics": False})
    assert CHECKS.get("half_precision_at_offset")(subject).verdict is Verdict.PASS


@pytest.mark.parametrize("path", ["planted_outputs:Layer", "planted_gradients:Root", "planted_state:Centring"])
def test_what_the_planted_norms_are_made_of_is_right(plant: Plant, path: str) -> None:
    assert not failed(outcomes_of(plant(path)))


def test_norm_that_refuses_half_precision_is_not_judged_there(plant: Plant) -> None:
    outcomes = outcomes_of(plant("planted_outputs:RefusesHalf"))
    for check in ("finite_in_float16", "half_precision_at_offset", "half_precision_at_large_values"):
        assert outcomes[check].verdict is Verdict.NOT_APPLICABLE
        assert "float16 is refused: RuntimeError: not implemented" in outcomes[check].meaning


def test_checks_leave_the_global_generators_where_they_were(plant: Plant) -> None:
    """Theirs or the norm's draws: whoever runs them in a program of his own gets his own numbers."""
    before = global_generators()
    for path in ("planted_state:DropsOut", "planted_state:PythonRandom", "planted_state:NumpyRandom"):
        outcomes_of(plant(path))
    assert global_generators() == before


def test_findings_are_the_same_every_time() -> None:
    assert outcomes_of("noisy_batch") == outcomes_of("noisy_batch")
