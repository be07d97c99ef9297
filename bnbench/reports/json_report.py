"""The board as JSON, the form other programs read."""

import json
from typing import Any

from bnbench.scoring.board import Board


def to_json(board: Board) -> str:
    """Return the board as strict JSON text, one row a line: what is not known is null, never NaN."""
    parts = [f"{_text(key)}: {_value(value)}" for key, value in board.to_dict().items()]
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def _value(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _text(value)
    lines = ",\n    ".join(map(_text, value))
    return f"[\n    {lines}\n  ]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
