"""How much memory is free on this machine, or in the container it is."""

from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup")


def free_host_bytes() -> int:
    """Return the free memory of this machine or container; pages of files that can be dropped count as free."""
    limits = [_available_on_machine(), _left_in_container()]
    return min(limit for limit in limits if limit is not None)


def _available_on_machine() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4 * 2**30  # where the system does not say: what any machine that trains networks has


def _left_in_container() -> int | None:
    limit, used = CONTAINER / "memory.max", CONTAINER / "memory.current"
    if not (limit.exists() and used.exists()) or limit.read_text().strip() == "max":
        return None
    kept = max(0, int(used.read_text()) - _files_given_back_on_demand())
    return max(0, int(limit.read_text()) - kept)


def _files_given_back_on_demand() -> int:
    """Return the page cache that the kernel drops when memory is asked for; it counts as used."""
    statistics = CONTAINER / "memory.stat"
    if statistics.exists():
        for line in statistics.read_text().splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0
