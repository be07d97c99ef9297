"""The board as JSON, the form other programs read."""

import json

from bnbench.scoring.board import Board


def to_json(board: Board) -> str:
    """Return the board as strict JSON text: what is not known is null, never NaN."""
    return json.dumps(board.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
