"""What every test runs under: no account, no network, no plug-ins, the same examples each time in CI."""

import os

import hypothesis

# Before anything imports wandb, which decides once per process.
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

# What a developer has installed is not what is tested here; the tests of plug-ins bring their own.
os.environ["BNBENCH_WITHOUT_PLUGINS"] = "1"

# The machines that run this differ in speed, so no example fails for being slow; in CI a failure must come again.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")
