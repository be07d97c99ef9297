"""Parquet."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from bnbench.datasets.files.content import refuse_impostor
from bnbench.errors import UserError


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the columns of a Parquet file; raises UserError for one that is cut off or something else."""
    with path.open("rb") as opened:
        refuse_impostor(opened.read(64), path, expected="a Parquet file")
    try:
        # by itself: a folder named year=2020 is no column of the file in it
        frame = parquet.ParquetFile(path).read().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is no Parquet file, or one that is cut off or damaged ({str(error).splitlines()[0]}); fetch it "
            "again"
        ) from error
    # an index that has a name is a column of the file, as every other program shows it
    named = [level for level in frame.index.names if level is not None]
    return frame.reset_index(named) if named else frame
