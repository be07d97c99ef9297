"""What every page of ours is made with: templates that escape by themselves, files beside them, a strict policy."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def templates(package: str) -> Environment:
    """Return the templates of a package, which escape what they are given and stumble over what they are not."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(package: str, name: str) -> str:
    """Return the text of a file in a package's `assets`."""
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def policy(*scripts: str, images: str = "") -> str:
    """Return the Content-Security-Policy: nothing is loaded, only scripts of these very texts run.

    `images` is where pictures may come from besides: nowhere by default.
    """
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts if text)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    pictures = f"img-src {images}; " if images else ""
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; {pictures}"
        "base-uri 'none'; form-action 'none'"
    )
