"""A line per norm as each ends, and at the end what was found: `python -m bnbench.check --all` in a terminal."""

from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bnbench.conformance.card import SHORT, STYLES, counted, in_words, plain
from bnbench.conformance.finding import Finding, Verdict
from bnbench.conformance.printing import print_to
from bnbench.conformance.suite import ReportCard

COLUMNS = (Verdict.PASS, Verdict.NOTE, Verdict.FAIL, Verdict.NOT_APPLICABLE)
NUMBER_WIDTH = 6


class Summary:
    """Prints to `file` (default: standard output), `width` columns wide (default: the terminal's)."""

    def __init__(self, names: Sequence[str], *, file: IO[str] | None = None, width: int | None = None) -> None:
        self.console = Console(file=file, width=width, highlight=False, emoji=False)
        self.name_width = max((len(name) for name in names), default=0)
        self.cards: dict[str, ReportCard] = {}
        header = "".join(f"{SHORT[verdict]:>{NUMBER_WIDTH}}" for verdict in COLUMNS)
        self._line(Text(f"{'norm':{self.name_width}}{header}  kind", style="bold"))

    def add(self, name: str, card: ReportCard) -> None:
        """Print the line of a norm."""
        self.cards[name] = card
        line = Text(f"{plain(name):{self.name_width}}")
        for verdict in COLUMNS:
            count = len(card.of(verdict))
            line.append(f"{count:{NUMBER_WIDTH}}", style=STYLES[verdict] if count else "dim")
        self._line(line.append(f"  {card.kind}"))

    def add_refusal(self, name: str) -> None:
        """Print the line of a norm that could not be checked."""
        self._line(Text(f"{plain(name):{self.name_width}}  could not be checked", style=STYLES[Verdict.FAIL]))

    def conclude(self, refusals: Sequence[str]) -> None:
        """Print the notes, the fails, why norms could not be checked, and what it all comes to."""
        self._list("Notes", Verdict.NOTE)
        self._list("Fails", Verdict.FAIL)
        if refusals:
            self._title("Not checked", Verdict.FAIL)
            for refusal in refusals:
                self._item(Text(plain(refusal)))
        failed = [name for name, card in self.cards.items() if card.of(Verdict.FAIL)]
        self._line(Text())
        said = f"{counted(len(self.cards), 'norm')} checked, {len(failed)} with a fail"
        if refusals:
            said += f", {len(refusals)} could not be checked"
        self._line(Text(f"{said}.", style="bold red" if failed or refusals else "bold green"))

    def _list(self, title: str, verdict: Verdict) -> None:
        """Print what was found, norms that share a check and its meaning under one another."""
        found: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
        for name, card in self.cards.items():
            for finding in card.of(verdict):
                found.setdefault((finding.check, finding.meaning), []).append((name, finding))
        if found:
            self._title(title, verdict)
        for (check, meaning), members in sorted(found.items()):
            self._item(Text.assemble(in_words(check), (f": {plain(meaning)}", "dim")))
            for name, finding in members:
                self._item(Text(f"{plain(name)}: {plain(finding.measured)}"), indent=4)

    def _title(self, title: str, verdict: Verdict) -> None:
        self._line(Text())
        self._line(Text(title, style=STYLES[verdict]))

    def _item(self, text: Text, *, indent: int = 2) -> None:
        print_to(self.console, Padding(text, (0, 0, 0, indent), expand=False))

    def _line(self, text: Text) -> None:
        print_to(self.console, text, soft_wrap=True)
