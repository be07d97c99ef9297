"""The cache of scikit-learn's fetch_openml, kept from harm.

fetch_openml deletes a cached file whenever it cannot parse it, and without a network it is gone. So it works on a view
of the cache, a folder of links, from which it can only delete links; what it downloads is moved to the cache once all
of it has been read.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = "openml"  # scikit-learn's own, in its data home


@dataclass(frozen=True)
class CacheView:
    """A data home for fetch_openml to work in, and the cached files it shows."""

    home: Path
    cache: Path
    shown: frozenset[Path]

    def rejected(self) -> list[Path]:
        """Return the cached files that were deleted from the view: those that could not be read."""
        return sorted(self.cache / file for file in self.shown if not (self.home / FOLDER / file).exists())

    def keep_downloads(self) -> None:
        """Move what was downloaded into the cache, each file whole or not at all."""
        for file in _files(self.home / FOLDER):
            downloaded, kept = self.home / FOLDER / file, self.cache / file
            if kept.exists() and downloaded.samefile(kept):
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            unfinished = kept.with_name(f".{kept.name}.{os.getpid()}")
            shutil.copyfile(downloaded, unfinished)
            unfinished.replace(kept)


@contextmanager
def view_of_cache(data_home: Path) -> Iterator[CacheView]:
    """Yield a view of the cache in scikit-learn's data home, which is gone afterwards."""
    cache = data_home / FOLDER
    shown = frozenset(_files(cache))
    with tempfile.TemporaryDirectory(prefix="bnbench-openml-") as folder:
        for file in shown:
            link = Path(folder) / FOLDER / file
            link.parent.mkdir(parents=True, exist_ok=True)
            _link(link, (cache / file).resolve())
        yield CacheView(Path(folder), cache, shown)


def _files(folder: Path) -> list[Path]:
    return [file.relative_to(folder) for file in folder.rglob("*") if file.is_file() and file.name.endswith(".gz")]


def _link(link: Path, file: Path) -> None:
    try:
        link.symlink_to(file)
    except OSError:  # Windows lets few users make symbolic links
        os.link(file, link)
