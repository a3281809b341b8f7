"""What the operator sees: `screen` for the plan, the question, the summary and errors; `live` for the progress."""

from bulk_remove.adapters.console.live import Live
from bulk_remove.adapters.console.screen import Screen

__all__ = ["Live", "Screen"]
