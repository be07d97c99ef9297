"""What counts as free memory."""

from pathlib import Path

import pytest

from bnbench import free_memory


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
