"""Figures as people read them."""

from rich.table import Table


def figures() -> Table:
    """Return an empty table of a name, a figure and a word on it."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table
