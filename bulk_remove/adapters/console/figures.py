"""Figures as people read them."""

from datetime import timedelta

from rich.table import Table


def figures() -> Table:
    """Return an empty table of a name, a figure and a word on it."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `45 s`, `12 min 5 s`, `3:20 h`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{timedelta(seconds=whole) // timedelta(hours=1)}:{whole % 3600 // 60:02d} h"
