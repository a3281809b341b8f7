"""What the operator sees: `screen` for the plan, the question, the summary and errors; `live` for the progress.

And what the operator types: `typed` for whole lines, `keyboard` for single keys.
"""

from bulk_remove.console.keys import typed_keys
from bulk_remove.console.live import Live, moment_of
from bulk_remove.console.screen import Screen

__all__ = ["Live", "Screen", "moment_of", "typed_keys"]
