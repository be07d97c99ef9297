"""The data of the winner as code of pandas and scikit-learn: from the file to tensors by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCALERS = {
    "none": None,
    "center": "StandardScaler(with_std=False)",
    "standardize": "StandardScaler()",
    "quantile": (
        'QuantileTransformer(n_quantiles=min(1000, len(train)), output_distribution="normal", random_state={data_seed})'
    ),
    "whiten": 'PCA({num_features}, whiten=True, svd_solver="full")',
}
# these transform all features, encoded ones too; the others the numbers of the table
OF_ALL_FEATURES = ("center", "whiten")
RANDOM_SPLITS = ("auto", "random", "stratified")
READERS = (".csv", ".tsv", ".txt", ".data", ".parquet")
# what a plain reading may have to be told as well: gaps as bnbench knows them, encodings
ALSO = ("", ", na_values=['?'], skipinitialspace=True", ", encoding='utf-16'", ", encoding='latin-1'")


@dataclass(frozen=True)
class TableCode:
    """How the rows are read: `reading` is an expression of pandas, columns go by name; `num_features` are encoded."""

    reading: str
    target: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    has_missing: bool
    kind: str
    num_features: int


def why_no_data_code(dataset: Mapping[str, Any]) -> str | None:
    """Return what of the configuration of a data set has no code, or None."""
    if dataset["preprocessing"] not in SCALERS:
        return f"dataset.preprocessing={dataset['preprocessing']} has no code"
    if dataset["split"] not in RANDOM_SPLITS:
        return f"dataset.split={dataset['split']} has no code; expected one of {', '.join(RANDOM_SPLITS)}"
    return None


def data_code(table: TableCode, dataset: Mapping[str, Any]) -> str:
    """Return the code from the file to tensors by part, split as bnbench splits.

    `why_no_data_code(dataset)` is None.
    """
    classes = table.kind == "classification"
    stratify = (", stratify=y", ", stratify=y[train]") if classes and dataset["split"] != "random" else ("", "")
    lines = [
        f"table = {table.reading}.dropna(subset=[{table.target!r}])",
        f"numbers = {list(table.numbers)!r}",
        f"categories = {list(table.categories)!r}",
        "X = table[numbers + categories].astype(dict.fromkeys(numbers, float))",
    ]
    if classes:
        lines.append(f"classes, y = np.unique(table[{table.target!r}], return_inverse=True)")
    else:
        lines.append(f"y = table[{table.target!r}].to_numpy(dtype=float)")
    lines += [
        "",
        f"stream = np.random.RandomState({dataset['data_seed']})",
        f"sizes = [round({dataset['validation_fraction']!r} * len(y)), round({dataset['test_fraction']!r} * len(y))]",
        "rows = np.arange(len(y))",
        f"train, validation = train_test_split(rows, test_size=sizes[0], random_state=stream{stratify[0]})",
        f"train, test = train_test_split(train, test_size=sizes[1], random_state=stream{stratify[1]})",
        "train, validation, test = np.sort(train), np.sort(validation), np.sort(test)",
        "",
        *_preparation(table, dataset),
        "center, scale = " + ("0.0, 1.0" if classes else "y[train].mean(), y[train].std()"),
        "",
        "",
        "def part(rows):",
        "    inputs = torch.tensor(prepare.transform(X.iloc[rows]), dtype=torch.float32)",
        "    return inputs, "
        + ("torch.tensor(y[rows])" if classes else "torch.tensor((y[rows] - center) / scale, dtype=torch.float32)"),
    ]
    return "\n".join(lines)


def _preparation(table: TableCode, dataset: Mapping[str, Any]) -> list[str]:
    """Return the lines that fit what is done to the columns on the training rows."""
    preprocessing = dataset["preprocessing"]
    written = SCALERS[preprocessing]
    scaler = written and written.format(data_seed=dataset["data_seed"], num_features=table.num_features)
    of_all = preprocessing in OF_ALL_FEATURES
    steps = ['SimpleImputer(strategy="median")'] if table.has_missing else []
    steps += [scaler] if scaler and not of_all else []
    of_numbers = f"make_pipeline({', '.join(steps)})" if len(steps) > 1 else steps[0] if steps else '"passthrough"'
    transformers = [f'("numbers", {of_numbers}, numbers)'] if table.numbers else []
    if table.numbers and table.has_missing:
        transformers.append('("missing", MissingIndicator(error_on_new=False), numbers)')
    if table.categories:
        one_hot = 'OneHotEncoder(handle_unknown="ignore", sparse_output=False)'
        transformers.append(f'("categories", {one_hot}, categories)')
    lines = ["prepare = ColumnTransformer([", *(f"    {each}," for each in transformers), "], sparse_threshold=0)"]
    lines += [f"prepare = make_pipeline(prepare, {scaler})"] if of_all else []
    return [*lines, "prepare.fit(X.iloc[train])"]


def reading_choices(
    name: str, ending: str, *, delimiter: str = ",", decimal: str = ".", has_header: bool = True
) -> Sequence[str]:
    """Return the expressions of pandas that may read a file of this ending, the plainest first."""
    if ending == ".parquet":
        return [f"pd.read_parquet({name!r})", f"pd.read_parquet({name!r}).reset_index()"]
    if ending not in READERS:
        return []
    options = "" if delimiter == "," else f", sep={delimiter!r}"
    options += "" if decimal == "." else f", decimal={decimal!r}"
    options += "" if has_header else ", header=None"
    renamed = "" if has_header else ".rename(columns=str)"
    return [f"pd.read_csv({name!r}{options}{also}){renamed}" for also in ALSO]
