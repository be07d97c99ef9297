"""The value each result-deciding option had when it was introduced. Append; never edit: cell ids rest on it.

An option still at its introduction default is left out of a cell's identity, so that adding an option with a default
that keeps the old behaviour leaves every older cell as it was. A test holds that every option is listed.
"""

from typing import Any

INTRODUCTION_DEFAULTS: dict[str, dict[str, Any]] = {
    "dataset": {
        "data_seed": 0,
        "validation_fraction": 0.2,
        "test_fraction": 0.2,
        "metric": None,
        "loss": None,
    },
    "model": {
        "hidden": [100, 100, 100],
        "activation": "relu",
        "norm_placement": "before_activation",
        "residual": False,
        "dropout": 0.0,
        "alpha_dropout": False,
        "input_norm": False,
        "logits_norm": False,
        "initialisation": "he",
        "initialisation_std": 0.01,
        "class_path": None,
        "options": {},
    },
    "optimizer": {
        "weight_decay": 0.0,
        "momentum": 0.9,
        "nesterov": False,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "clip_gradient_norm": None,
    },
    "schedule": {"gamma": 0.1, "every_steps": 1000},
    "trainer": {"precision": "32", "compile": False},
    "norm.batch": {
        "momentum": 0.1,
        "eps": 1e-5,
        "affine": True,
        "subtract_mean": True,
        "divide_by_deviation": True,
        "running_statistics": True,
        "unbiased_running_variance": True,
    },
    "norm.layer": {"eps": 1e-5, "affine": True},
    "norm.rms": {"eps": 1e-5, "affine": True},
    "norm.group": {"num_groups": 4, "eps": 1e-5, "affine": True},
    "norm.instance": {"num_channels": 2, "eps": 1e-5, "affine": False},
    "norm.ghost_batch": {"ghost_rows": 16, "momentum": 0.1, "eps": 1e-5},
    "norm.l1_batch": {"p": 1.0, "momentum": 0.1, "eps": 1e-5},
    "norm.batch_renorm": {
        "max_scale": 3.0,
        "max_shift": 5.0,
        "momentum": 0.1,
        "warmup_steps": 100,
        "ramp_steps": 400,
        "eps": 1e-5,
    },
    "norm.noisy_batch": {
        "largest_shift": 0.5,
        "largest_scale": 1.25,
        "shift_spread": 0.1,
        "scale_deviation": 0.1,
        "momentum": 0.1,
        "eps": 1e-5,
    },
    "norm.scale": {"eps": 1e-5},
    "norm.dynamic_tanh": {"alpha": 0.5},
    "norm.filter_response": {"threshold": True, "eps": 1e-6, "learned_eps": 1e-4},
    "norm.spectral": {"num_power_iterations": 1},
    "norm.weight_mean_only_batch": {"momentum": 0.1},
    "norm.switchable": {"momentum": 0.1, "eps": 1e-5},
    "norm.iterative": {"num_groups": 4, "num_iterations": 5, "momentum": 0.1, "eps": 1e-5},
}
