"""Figures as people read them."""

from rich.table import Table
from rich.text import Text

from bulk_remove.language import one_line, say, translated


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
