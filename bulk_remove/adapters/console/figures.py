"""Figures as people read them."""

from rich.table import Table
from rich.text import Text

from bulk_remove.core.progress import rounded
from bulk_remove.language import Phrase, one_line, phrase, say, translated

_LEAST_PERCENT = 0.01


def percent(share: float) -> Phrase:
    """Return a share of 1 in percent: as precise as it is small, and 100% for neither less nor more."""
    value = 100 * share
    if 0 < value < _LEAST_PERCENT:
        return phrase("under {least:g}%", least=_LEAST_PERCENT)
    return phrase("{share:,.10g}%", share=rounded(value))


class Figures:
    """A table of a name, a figure and a word on it, in the operator's language."""

    def __init__(self) -> None:
        self.drawn = Table.grid(padding=(0, 2))
        self.drawn.add_column()
        self.drawn.add_column(justify="right")
        self.drawn.add_column(style="dim")

    def add(self, name: str, figure: int | None, word: str = "") -> None:
        """Add a line; without a figure its place stays empty."""
        told = "" if figure is None else say("{figure:,}", figure=figure)
        self.drawn.add_row(*(Text(one_line(text)) for text in (translated(name), told, translated(word))))
