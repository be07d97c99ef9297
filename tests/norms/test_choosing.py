"""Choosing a norm by name or class path, what it is called on a board, and what is refused."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.errors import UserError
from bnbench.norms import NORMS, choose_norm
from bnbench.norms.registration import norm as register
from bnbench.records import canonical_json


@pytest.mark.parametrize("name", NORMS.names())
def test_norm_at_its_defaults_is_called_by_its_name(name: str) -> None:
    assert choose_norm({"name": name}).entry == name


@pytest.mark.parametrize(
    ("config", "entry"),
    [
        ({"name": "group", "num_groups": 8}, "group(num_groups=8)"),
        ({"name": "group", "num_groups": 4}, "group"),
        ({"name": "layer", "eps": 0.001, "affine": False}, "layer(affine=false, eps=0.001)"),
        ({"name": "custom", "class_path": "torch.nn:LayerNorm", "eps": 0.1}, "torch.nn:LayerNorm(eps=0.1)"),
        ({"name": "custom", "class_path": "torch.nn:LayerNorm"}, "torch.nn:LayerNorm"),
    ],
)
def test_entry_names_the_options_that_differ(config: dict[str, Any], entry: str) -> None:
    assert choose_norm(config).entry == entry


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((2, 2.0), "2"),
        ((0, 0.0, -0.0), "0"),
        ((10**20, 1e20), "100000000000000000000"),
        ((0.1,), "0.1"),
        ((1e-5,), "1e-05"),
        ((-1.5,), "-1.5"),
        (([1, 2.0], (1.0, 2)), "[1, 2]"),
        ((True,), "true"),
        (("2.0",), "2.0"),
    ],
)
def test_values_with_one_cell_id_have_one_name(values: tuple[Any, ...], written: str) -> None:
    chosen = [choose_norm({"name": "custom", "class_path": "torch.nn:Identity", "k": value}) for value in values]
    assert {each.entry for each in chosen} == {f"torch.nn:Identity(k={written})"}
    assert len({canonical_json(each.options) for each in chosen}) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "bacth"}, r"unknown norm 'bacth'; did you mean 'batch'\? Choose from: .*batch, .*group, "),
        ({"name": "qqq"}, r"unknown norm 'qqq'; Choose from: .*batch, .*group, "),
        ({"name": "group", "num_group": 2}, r"norm 'group' takes no option 'num_group'; did you mean 'num_groups'\?"),
        ({"name": "none", "eps": 1}, r"norm 'none' takes no option 'eps'; it takes none$"),
        (
            {"name": "batch", "momentum": "abc"},
            r"norm 'batch': momentum='abc': expected float or null, as in momentum=0.1",
        ),
        ({"name": "group", "num_groups": 2.5}, r"norm 'group': num_groups=2.5: expected int, as in num_groups=4"),
        ({"name": "layer", "affine": 1}, r"norm 'layer': affine=1: expected bool, as in affine=True"),
        ({"name": "batch", "class_path": "a:b"}, r"norm 'batch' takes no option 'class_path'"),
        (
            {"eps": 1.0},
            r"^the configuration of the norm has no key 'name', only eps: its yaml file needs",
        ),
        ({"name": "custom"}, r"norm=custom needs norm.class_path=package.module:Name"),
        ({"name": "custom", "class_path": "torch.nn.LayerNorm"}, r"not of the form package.module:Name"),
        (
            {"name": "custom", "class_path": "no_such.place:X"},
            r"module 'no_such.place' does not import: ModuleNotFound",
        ),
        ({"name": "custom", "class_path": "torch.nn:LayerNrom"}, r"has no 'LayerNrom'; did you mean 'LayerNorm'\?"),
        ({"name": "custom", "class_path": "math:pi"}, r"'pi' is a float, expected a class or a function"),
        ({"name": "custom", "class_path": "builtins:iter"}, r"norm 'builtins:iter' has no signature"),
        ({"name": "custom", "class_path": "torch.nn:LayerNorm", "kind": "weights"}, r"norm.kind='weights'"),
        (
            {"name": "custom", "class_path": "torch.nn:LayerNorm", "esp": 1},
            r"takes no option 'esp'; did you mean 'eps'\?",
        ),
    ],
)
def test_what_cannot_be_chosen_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_norm(config)


@pytest.mark.parametrize(
    ("config", "num_features", "message"),
    [
        ({"name": "group", "num_groups": 5}, 12, r"num_groups=5 does not divide 12 features; nearest that do: .*4.*6"),
        ({"name": "group", "num_groups": 0}, 12, r"num_groups=0 does not divide"),
        ({"name": "group", "num_groups": -3}, 12, r"num_groups=-3 does not divide"),
        (
            {"name": "group"},
            13,
            r"num_groups=4 does not divide 13 features; nearest that do: 1, 13 \(set norm.num_groups",
        ),
        ({"name": "instance", "num_channels": 5}, 12, r"num_channels=5 does not divide 12 features"),
        ({"name": "instance", "num_channels": 12}, 12, r"num_channels=12 leaves one value per channel .* at most 6"),
    ],
)
def test_layer_that_cannot_be_built_is_named(config: dict[str, Any], num_features: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_norm(config).maker(0)(num_features)(torch.zeros(3, num_features))


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6, 12])
def test_every_divisor_makes_groups(parts: int) -> None:
    layer = choose_norm({"name": "group", "num_groups": parts}).maker(0)(12)
    assert torch.isfinite(layer(torch.randn(3, 12, generator=torch.Generator().manual_seed(0)))).all()


def test_class_and_function_from_a_file_are_norms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "norms_of_a_file.py").write_text(
        "from torch import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, num_features, *, scale=2.0):\n"
        "        super().__init__()\n"
        "        self.scale = scale\n"
        "    def forward(self, inputs):\n"
        "        return inputs * self.scale\n"
        "def mine(num_features, **options):\n"
        "    return Mine(num_features, **options)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Mine", "mine"):
        chosen = choose_norm({"name": "custom", "class_path": f"norms_of_a_file:{name}", "scale": 3.0})
        assert chosen.maker(0)(4)(torch.ones(1, 4)).tolist() == [[3.0] * 4]
        assert chosen.entry == f"norms_of_a_file:{name}(scale=3)"


def test_version_of_a_stranger_follows_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for number in (1, 2):
        source = f"from torch import nn\nclass Norm{number}(nn.Identity):\n    pass\n"
        (tmp_path / f"version_{number}.py").write_text(source)
        chosen = choose_norm({"name": "custom", "class_path": f"version_{number}:Norm{number}"})
        versions.append(chosen.norm.version)
    assert versions[0] != versions[1]
    assert "torch=" in str(choose_norm({"name": "custom", "class_path": "torch.nn:LayerNorm"}).norm.version)


@pytest.fixture
def no_lasting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NORMS, "_entries", dict(NORMS._entries))


@pytest.mark.usefixtures("no_lasting_names")
@pytest.mark.parametrize("form", ["Mine", "partial(Mine, scale=2)", "Factory()"])
def test_registered_norm_of_a_stranger_has_the_version_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for number, comment in enumerate(("", "", "# edited")):
        module = f"registering_{abs(hash(form))}_{number}"
        (tmp_path / f"{module}.py").write_text(
            f"from functools import partial\nfrom torch import nn\nimport bnbench\n{comment}\n"
            "class Mine(nn.Identity):\n"
            "    def __init__(self, num_features, *, scale=1):\n        super().__init__()\n"
            "class Factory:\n"
            "    def __call__(self, num_features):\n        return Mine(num_features)\n"
        )
        names = vars(import_module(module))
        register(f"mine_{number}")(eval(form, names))
        versions.append(choose_norm({"name": f"mine_{number}"}).norm.version)
    assert versions[0] == versions[1] != versions[2]
    assert ("scale=2" in str(versions[0])) == ("scale=2" in form)


@pytest.mark.usefixtures("no_lasting_names")
@pytest.mark.parametrize("version", [1, 7, "2026-01"])
def test_version_an_author_gives_is_kept(version: int | str) -> None:
    register("versioned", version=version)(nn.LayerNorm)
    assert NORMS.get("versioned").version == version


@pytest.mark.parametrize("name", NORMS.names())
def test_norm_of_bnbench_has_a_version_raised_by_hand(name: str) -> None:
    assert type(NORMS.get(name).version) is int


@pytest.mark.parametrize("kind", ["activation", "weight"])
def test_kind_of_a_class_path_is_the_one_chosen(kind: str) -> None:
    config = {"name": "custom", "class_path": "torch.nn:LayerNorm", "kind": kind, "eps": 0.1}
    assert choose_norm(config).norm.kind == kind
    assert "kind" not in choose_norm(config).options
    assert choose_norm({"name": "custom", "class_path": "torch.nn:LayerNorm"}).norm.kind == "activation"


@pytest.mark.parametrize("value", [None, 0.5, 3])
def test_number_of_a_stranger_may_be_any_number_or_none(value: Any) -> None:
    config = {"name": "custom", "class_path": "torch.nn:BatchNorm1d", "momentum": value}
    assert choose_norm(config).maker(0)(4).momentum == value
    assert choose_norm({"name": "custom", "class_path": "torch.nn:LocalResponseNorm", "k": value}).options["k"] == value


def strange(num_features: int, *, parts: int = 2, centred: bool = True) -> nn.Module:
    return nn.Identity()


@pytest.mark.usefixtures("no_lasting_names")
def test_whole_number_of_a_stranger_may_be_a_fraction_but_a_bool_is_a_bool() -> None:
    register("strange")(strange)
    assert choose_norm({"name": "strange", "parts": 0.5}).options["parts"] == 0.5
    for option, value in (("parts", True), ("parts", "2"), ("centred", 1), ("centred", None)):
        with pytest.raises(
            UserError, match=f"norm 'strange': {option}={value!r}: expected (int|bool), as in {option}="
        ):
            choose_norm({"name": "strange", option: value})


@pytest.mark.parametrize(("name", "option"), [("rms", "eps"), ("batch", "eps"), ("group", "num_groups")])
def test_number_of_a_norm_of_bnbench_is_none_only_where_it_says_so(name: str, option: str) -> None:
    with pytest.raises(UserError, match=f"norm '{name}': {option}=None: expected (int|float), as in {option}="):
        choose_norm({"name": name, option: None})
    assert choose_norm({"name": "batch", "momentum": None}).entry == "batch(momentum=null)"


def test_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="norm 'batch' is registered twice"):
        register("batch")(nn.BatchNorm1d)


def test_norm_that_draws_at_construction_has_a_stream_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drawing_norm.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Drawing(nn.Module):\n"
        "    def __init__(self, num_features):\n"
        "        super().__init__()\n"
        "        self.gain = nn.Parameter(torch.randn(num_features))\n"
        "    def forward(self, inputs):\n"
        "        return inputs * self.gain\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    chosen = choose_norm({"name": "custom", "class_path": "drawing_norm:Drawing"})
    before = torch.get_rng_state()
    gains: dict[tuple[int, int], Any] = {}
    for seed in (0, 1):
        make: Callable[[int], nn.Module] = chosen.maker(seed)
        for place in (0, 1):
            gains[seed, place] = make(5).get_parameter("gain").detach()
    assert torch.equal(before, torch.get_rng_state())
    assert len({tuple(gain.tolist()) for gain in gains.values()}) == 4
    assert torch.equal(chosen.maker(1)(5).get_parameter("gain"), gains[1, 0])


@pytest.mark.usefixtures("no_lasting_names")
def test_class_path_of_a_decorated_norm_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "decorated_norms.py").write_text(
        "from torch import nn\nfrom bnbench import norm\n"
        '@norm("doubled_linear", kind="weight")\n'
        "def doubled_linear(linear, *, times: float = 2.0):\n    return nn.Sequential(linear)\n"
    )
    chosen = choose_norm({"name": "custom", "class_path": "decorated_norms:doubled_linear", "kind": None, "times": 3.0})
    assert (chosen.entry, chosen.norm.kind) == ("doubled_linear(times=3)", "weight")
    with pytest.raises(UserError, match=r"norm.kind=activation: .* registered as 'doubled_linear' of kind weight"):
        choose_norm({"name": "custom", "class_path": "decorated_norms:doubled_linear", "kind": "activation"})


@pytest.mark.usefixtures("no_lasting_names")
def test_option_is_null_only_where_its_annotation_says_so() -> None:
    @register("nullable", version=1)
    def nullable(num_features: int, *, share: float | None = 0.5, size: int = 3) -> nn.Module:
        return nn.Identity()

    assert choose_norm({"name": "nullable", "share": None}).entry == "nullable(share=null)"
    with pytest.raises(UserError, match=r"share='much': expected float or null"):
        choose_norm({"name": "nullable", "share": "much"})
    choose_norm({"name": "nullable", "size": None})  # a stranger's: it knows better than its annotation
