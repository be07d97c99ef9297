"""Suites have versions, and runs of different versions are never summed up together."""

import re
from collections.abc import Collection

VERSIONED = re.compile(r"(?P<suite>.+)_v(?P<version>\d+)")


def mixed_suites(experiments: Collection[str]) -> list[list[str]]:
    """Return the experiments that are versions of one suite (NAME_v1, NAME_v2), where there are several, newest last.

    >>> mixed_suites({"suite_core_v1", "suite_core_v10", "suite_core_v2", "quickstart"})
    [['suite_core_v1', 'suite_core_v2', 'suite_core_v10']]
    """
    by_suite: dict[str, set[tuple[int, str]]] = {}
    for name in experiments:
        if found := VERSIONED.fullmatch(name):
            by_suite.setdefault(found["suite"], set()).add((int(found["version"]), name))
    return [[name for _, name in sorted(versions)] for _, versions in sorted(by_suite.items()) if len(versions) > 1]
