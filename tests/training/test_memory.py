"""What counts as free memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench import free_memory
from bnbench.norms import choose_norm
from bnbench.training.diagnostics import DIAGNOSTICS
from bnbench.training.diagnostics.diagnostic import USUAL_COPIES
from bnbench.training.fit import network_of
from bnbench.training.memory import bytes_per_replica


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"memory.max": "1000", "memory.current": "700"}, 300),
        ({"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 200\ninactive_file 400\nshmem 1"}, 700),
        ({"memory.max": "1000", "memory.current": "700", "memory.stat": "total_inactive_file 400\nanon 200"}, 300),
        ({"memory.max": "1000", "memory.current": "300", "memory.stat": "inactive_file 400"}, 1000),
        ({"memory.max": "1000", "memory.current": "1200", "memory.stat": "inactive_file 100"}, 0),
    ],
    ids=["no-statistics", "page-cache-is-free", "no-such-line", "cache-read-later", "beyond-the-limit"],
)
def test_page_cache_of_a_container_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], free: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(free_memory, "CONTAINER", tmp_path)
    assert free_memory.free_host_bytes() == free


@pytest.mark.parametrize("files", [{}, {"memory.max": "max", "memory.current": "700"}])
def test_container_without_a_limit_has_the_memory_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(free_memory, "CONTAINER", tmp_path)
    assert free_memory.free_host_bytes() > 1000


def test_scores_that_wait_for_the_last_row_count(configure: Callable[..., Any], task_of: Callable[..., Any]) -> None:
    """An area under a curve needs every score; replicas that keep them are fewer at a time."""
    config = configure()
    plain, ranked = (task_of(outputs=5, metric=metric) for metric in ("accuracy", "auroc"))
    network = network_of(config, plain, choose_norm(config.norm))
    more = bytes_per_replica(config, ranked, network) - bytes_per_replica(config, plain, network)
    assert more == 2 * 4 * 5 * len(plain.test_labels)


def test_diagnostics_need_room_for_copies_of_the_weights(configure: Any, task_of: Callable[..., Any]) -> None:
    """Beyond free memory a system kills the process and asks nobody; the basis of sharpness takes most."""
    task = task_of()
    network = network_of(configure(), task, choose_norm(configure().norm))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    none, units, every = (
        bytes_per_replica(configure(diagnostics=names), task, network) for names in ((), ["units"], "all")
    )
    assert units - none == 4 * USUAL_COPIES * parameters
    assert every - none == 4 * DIAGNOSTICS.get("sharpness").copies * parameters
    assert every > units
