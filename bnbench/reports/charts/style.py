"""One colour, line and marker per entry, the same in every chart of a board; told apart without colours too."""

from dataclasses import dataclass

from bnbench.scoring.board import Board

# Okabe and Ito's hues, some darkened to stand out from white by 3:1; beside each its counterpart for a dark page.
HUES = (
    ("#0072b2", "#56a8e8"),
    ("#d55e00", "#ff8f52"),
    ("#00896a", "#37c9a0"),
    ("#b8568f", "#e79ac6"),
    ("#a87400", "#e3b341"),
    ("#3a8fc7", "#93d0fa"),
    ("#7a5aa6", "#bda2e6"),
)
REFERENCE = ("#4d5766", "#b4bdca")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "pentagon")
BAND = 0.14
OUTCOMES = {
    "reached": ("#0072b2", "#56a8e8", ""),
    "slow": ("#a87400", "#e3b341", "/"),
    "stalled": ("#8a93a1", "#7d8796", "."),
    "diverged": ("#d55e00", "#ff8f52", "x"),
}
"""What a seed came to: colour in the light, in the dark, and the pattern that tells it without colour."""


@dataclass(frozen=True)
class Style:
    """How an entry is drawn; `dark` is its colour on a dark page."""

    color: str
    dark: str
    dash: str
    symbol: str

    @property
    def band(self) -> str:
        """Return the colour of the band around the line."""
        return transparent(self.color)


def transparent(color: str) -> str:
    """Return a colour as Plotly writes a transparent one.

    >>> transparent("#0072b2")
    'rgba(0,114,178,0.14)'
    """
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{BAND})"


def styles(board: Board) -> dict[str, Style]:
    """Return each entry's style: the reference grey and dashed, the others in the order in which the board has them."""
    references = {row.entry for row in board.entries if row.is_reference}
    chosen = {entry: Style(*REFERENCE, dash="dash", symbol="x") for entry in sorted(references)}
    others = dict.fromkeys(row.entry for row in board.entries if row.entry not in references)
    for index, entry in enumerate(others):
        hue = HUES[index % len(HUES)]
        dash = DASHES[index // len(HUES) % len(DASHES)]
        chosen[entry] = Style(*hue, dash=dash, symbol=SYMBOLS[index % len(SYMBOLS)])
    return chosen


def in_the_dark() -> dict[str, str]:
    """Return for each colour of the figures the one that takes its place on a dark page."""
    pairs = dict((*HUES, REFERENCE))
    bands = {transparent(light): transparent(dark) for light, dark in pairs.items()}
    outcomes = {light: dark for light, dark, _ in OUTCOMES.values()}
    return {**pairs, **bands, **outcomes, "#1c2430": "#e6eaf0", "#5b6574": "#a3adbb", "#e3e7ed": "#333c4a"}
