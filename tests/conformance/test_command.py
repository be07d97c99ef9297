"""`python -m bnbench.check`: what it prints, what it returns, and what it says of what cannot be checked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bnbench.check import main, option
from bnbench.conformance import command
from bnbench.conformance.finding import Verdict
from bnbench.errors import UserError
from bnbench.plugins import BrokenPlugin

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Run:
        try:
            code = main(arguments)
        except SystemExit as error:  # argparse's
            code = int(str(error.code))
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["torch.nn:LayerNorm"], 0),
        (["fake_norms:MyNorm", "--option", "eps=1e-3", "--num-features", "10"], 0),
        (["fake_norms:MyWeightNorm", "--kind", "weight"], 0),
        (["fake_norms:Integers"], 0),
        (["batch", "--option", "momentum=null"], 0),  # with notes
        (["torch.nn:InstanceNorm1d"], 1),
        (["fake_norms:WrongShape"], 1),
        (["fake_norms:NoForward"], 1),
    ],
)
def test_exit_code_is_1_on_a_fail_and_only_then(check: Callable[..., Run], arguments: list[str], code: int) -> None:
    run = check(*arguments, "--json")
    card = json.loads(run.out)
    verdicts = {finding["verdict"] for finding in card["findings"]}
    assert run.code == code
    assert card["passed"] is (code == 0)
    assert (Verdict.FAIL in verdicts) is (code == 1)
    assert "Traceback" not in run.err


def test_card_is_printed_with_its_conclusion_last(check: Callable[..., Run]) -> None:
    run = check("batch", "--option", "momentum=0.2")
    lines = run.out.splitlines()
    assert lines[0].rstrip() == "batch(momentum=0.2)  kind activation, 24 features"
    assert "batch(momentum=0.2) fails nothing: " in lines[-1]
    assert max(map(len, lines)) <= 80


def test_wrong_shape_is_a_fail_with_both_shapes(check: Callable[..., Run]) -> None:
    run = check("fake_norms:WrongShape", "--json")
    (found,) = [each for each in json.loads(run.out)["findings"] if each["check"] == "output_shape"]
    assert found["verdict"] == "fail"
    assert "(13, 23)" in found["measured"]
    assert "(13, 24)" in found["measured"] + found["meaning"]


def test_what_a_stranger_prints_is_no_part_of_the_card(check: Callable[..., Run]) -> None:
    sys.modules.pop("fake_norms", None)
    run = check("fake_norms:MyNorm", "--json")
    assert "said at import" in run.err
    assert json.loads(run.out)["entry"] == "fake_norms:MyNorm"


# what is typed, and what the one line on standard error says
REFUSED = {
    "unknown name": (["layr"], "unknown norm 'layr'; did you mean 'layer'? Choose from: affine, "),
    "module that is not there": (
        ["torhc.nn:LayerNorm"],
        (
            "norm=torhc.nn:LayerNorm: module 'torhc.nn' does not import: ModuleNotFoundError: No module "
            "named 'torhc'; did you mean 'torch'?"
        ),
    ),
    "name that is not there": (
        ["torch.nn:LayerNrom"],
        "norm=torch.nn:LayerNrom: module 'torch.nn' has no 'LayerNrom'; did you mean 'LayerNorm'? Choose ",
    ),
    "no colon": (
        ["torch.nn.LayerNorm"],
        ("norm='torch.nn.LayerNorm' is not of the form package.module:Name; did you mean 'torch.nn:LayerNorm'?"),
    ),
    "option it does not take": (
        ["fake_norms:MyNorm", "--option", "esp=1"],
        "norm 'fake_norms:MyNorm' takes no option 'esp'; did you mean 'eps'? Choose from: eps",
    ),
    "option of another type": (
        ["layer", "--option", "eps=small"],
        "norm 'layer': eps='small': expected float, as in eps=1e-05",
    ),
    "option that is a key": (
        ["layer", "--option", "kind=weight"],
        "option kind=weight: kind is a key of bnbench's own, never a norm's",
    ),
    "raises": (
        ["fake_norms:raises", "--option", "power=3"],
        "norm 'fake_norms:raises(power=3)' cannot be built: raises(24, power=3) raised ValueError: never heard of it",
    ),
    "leaves the process": (
        ["fake_norms:leaves"],
        "norm 'fake_norms:leaves' cannot be built: leaves(24) raised SystemExit: 0",
    ),
    "no module": (["math:sqrt"], "norm 'math:sqrt' returned a float, expected a torch.nn.Module"),
    "class that is no module": (
        ["fake_norms:NoModule"],
        (
            "norm=fake_norms:NoModule: the class NoModule is no torch.nn.Module; expected a torch.nn.Module "
            "class or a function that returns one"
        ),
    ),
    "not callable": (
        ["math:pi"],
        "norm=math:pi: 'pi' is a float, expected a class or a function",
    ),
    "needs another argument": (
        ["torch.nn:GroupNorm"],
        (
            "norm 'torch.nn:GroupNorm' needs num_channels beside its first argument num_groups, expected num_features "
            "alone: give the option num_channels=VALUE, or a factory that takes no more than that: def "
            "my_norm(num_features): return GroupNorm(…)"
        ),
    ),
    "module without a name": (
        ["torch.nn"],
        "norm='torch.nn' is not of the form package.module:Name; 'torch.nn' is a module, expected a class or ",
    ),
    "integer": (["fake_norms:an_integer"], "norm 'fake_norms:an_integer' returned an int, expected a torch.nn.Module"),
    "lazy": (
        ["fake_norms:lazy"],
        (
            "norm 'fake_norms:lazy' is lazy: LazyBatchNorm1d has no shapes before its first batch, expected a layer "
            "that is made of num_features"
        ),
    ),
    "option as first argument": (
        ["torch.nn:ReLU"],
        (
            "norm 'torch.nn:ReLU': its first argument is `inplace`, expected num_features: give a factory that takes "
            "it, def my_norm(num_features): return ReLU(…)"
        ),
    ),
    "kind of a registered norm": (
        ["layer", "--kind", "weight"],
        "kind=weight: norm 'layer' is registered as of kind activation",
    ),
    "features it cannot have": (
        ["group", "--num-features", "13"],
        "norm 'group': num_groups=4 does not divide 13 features; nearest that do: 1, 13 (set norm.num_groups)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_checked_is_said_in_one_line(check: Callable[..., Run], case: str) -> None:
    arguments, message = REFUSED[case]
    run = check(*arguments)
    (line,) = [line for line in run.err.splitlines() if line != "said at import"]
    said = line.removeprefix("bnbench.check: ")
    assert said[: len(message)] == message
    assert len(said) == len(message) or message.endswith(" ")
    assert (run.code, run.out) == (2, "")


MISUSE = {
    "nothing": ([], "one of the arguments NORM --all --list is required"),
    "two things": (["--all", "--list"], "argument --list: not allowed with argument --all"),
    "a norm and all": (["layer", "--all"], "argument --all: not allowed with argument NORM"),
    "an option without a value": (["layer", "--option", "eps"], "'eps' is not of the form name=value, as in eps=1e-3"),
    "an option without a name": (["layer", "--option", "=1"], "'=1' is not of the form name=value"),
    "a value that is no yaml": (
        ["layer", "--option", "k=[1"],
        "'k=[1': the value is no yaml, expected one as in k=0.1",
    ),
    "a value of two lines": (["layer", "--option", "k=1\nj: 2"], "the value is no yaml"),
    "an option twice": (["layer", "--option", "k=1", "--option", "k=2"], "--option k is given more than once"),
    "one feature": (["layer", "--num-features", "1"], "'1': expected a whole number of at least 2"),
    "no number": (["layer", "--num-features", "many"], "'many': expected a whole number of at least 2"),
    "digits of another script": (["layer", "--num-features", "\N{ARABIC-INDIC DIGIT THREE}"], "a whole number of at"),
    "unknown kind": (["layer", "--kind", "weights"], "invalid choice: 'weights'"),
    "an option of all": (["--all", "--option", "eps=1"], "--option cannot go with --all"),
    "features of a list": (["--list", "--num-features", "8"], "--num-features cannot go with --list"),
    "markdown of a card": (["layer", "--markdown"], "--markdown is a form of --list"),
    "two forms": (["--list", "--json", "--markdown"], "argument --markdown: not allowed with argument --json"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_ends_with_usage_and_one_message(check: Callable[..., Run], case: str) -> None:
    arguments, message = MISUSE[case]
    run = check(*arguments)
    assert run.code == 2
    assert message in run.err.splitlines()[-1]
    assert run.err.startswith("usage: python -m bnbench.check (NORM | --all | --list)")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=0.1", 0.1),
        ("k=1e-3", 0.001),
        ("k=3", 3),
        ("k=true", True),
        ("k=null", None),
        ("k=", None),
        ("k=[1,2]", [1, 2]),
        ("k={a: 1}", {"a": 1}),
        ("k=some text", "some text"),
        ("k='1'", "1"),
        ("k=a=b", "a=b"),
        ("k=__import__('os')", "__import__('os')"),
        ("k=${oc.env:HOME}", "${oc.env:HOME}"),
    ],
)
def test_option_is_read_as_yaml(text: str, value: object) -> None:
    name, read = option(text)
    assert (name, read, type(read)) == ("k", value, type(value))


def test_num_features_below_2_is_refused_in_python_too() -> None:
    with pytest.raises(UserError, match=r"^num_features=1: expected at least 2$"):
        command.check_norm("layer", num_features=1)


@pytest.mark.parametrize("raised", [RuntimeError("a bug"), UserError("a mistake")])
def test_traceback_is_shown_with_debug_alone(
    check: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(command, "check_norm", fail)
    quiet, loud = check("layer"), check("layer", "--debug")
    assert (quiet.code, loud.code) == (2, 2)
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err
    internal = "bnbench.check: internal error (RuntimeError: a bug); run again with --debug\n"
    assert quiet.err == (internal if isinstance(raised, RuntimeError) else "bnbench.check: a mistake\n")


def test_interrupt_is_no_fail(check: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "check_norm", interrupt)
    run = check("layer")
    assert (run.code, run.err) == (130, "bnbench.check: interrupted\n")


def test_help_needs_no_torch() -> None:
    program = (
        "import sys\nfrom bnbench.check import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as error:\n"
        "    print(error.code, sorted({'torch', 'lightning', 'hydra'} & sys.modules.keys()))"
    )
    for arguments, code in ((["--help"], 0), (["layer", "--kind", "x"], 2)):
        command_line = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command_line, capture_output=True, text=True, check=True, cwd=HERE.parent.parent)
        assert done.stdout.splitlines()[-1] == f"{code} []"


@pytest.mark.parametrize(("norm", "code"), [("none", 0), ("fake_norms:WrongShape", 1)])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_reader_that_leaves_changes_no_exit_code(norm: str, code: int, form: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent.parent)))}
    command_line = [sys.executable, "-m", "bnbench.check", norm, *form]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, complaints = process.communicate()
    assert process.returncode == code
    assert complaints.decode().replace("said at import\n", "") == ""


@pytest.mark.parametrize(
    ("norm", "reason"),
    [
        ("NoForward", "NotImplementedError: Module [NoForward] is missing the required"),
        (
            "WantsMask",
            "TypeError: WantsMask.forward() missing 1 required positional argument: 'mask', for (13, 24) in ",
        ),
        ("ReturnsPair", "TypeError: the layer returned a tuple, expected a tensor, for (13, 24) in training"),
        ("ComplexOutputs", "a tensor of complex64 (13, 24), for (13, 24) in training"),
        ("LeavesInForward", "SystemExit: 0, for (13, 24) in training"),
        ("OfManyLines", "ValueError: first second, for (13, 24) in evaluation"),
        ("CannotBeRead", "UnreadableError: (its text cannot be read), for (13, 24) in training"),
        ("BlamesUser", "UserError: no such option, for (13, 24) in training"),
    ],
)
def test_what_does_not_run_fails_once_with_its_cause(check: Callable[..., Run], norm: str, reason: str) -> None:
    run = check(f"fake_norms:{norm}", "--json")
    assert run.code == 1
    card = json.loads(run.out)
    found = {finding["check"]: finding for finding in card["findings"] if finding["verdict"] == "fail"}
    assert list(found) == ["ordinary_batch"]
    assert found["ordinary_batch"]["measured"].startswith(reason)
    assert (card["traits"], card["costs"]) == (None, None)


def test_pipe_that_is_closed_is_no_error() -> None:
    program = f"{sys.executable} -m bnbench.check --list --json | head -n 1"
    done = subprocess.run(program, shell=True, capture_output=True, text=True, check=True, cwd=HERE.parent.parent)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_broken_plugin_is_listed_by_name(check: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BrokenPlugin("odd", "odd-norms 1.0", "ImportError: no [bold]such[/bold] thing", "bnbench.norms")
    monkeypatch.setattr(command, "broken_plugins", lambda: (broken,))
    shown, listed = check("--list"), check("--list", "--json")
    assert shown.code == listed.code == 0
    line = "plug-in 'odd' of odd-norms 1.0 cannot be used: ImportError: no [bold]such[/bold] thing"
    assert line in " ".join(shown.out.split())
    assert json.loads(listed.out)["broken_plugins"] == [
        {"name": "odd", "from": "odd-norms 1.0", "reason": "ImportError: no [bold]such[/bold] thing"}
    ]
