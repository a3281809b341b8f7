"""What the operator sees and types.

`screen` shows the plan, the question, the summary and errors, `live` the progress, and `keys` reads what is typed.
"""

from bulk_remove.console.keys import typed_answer, typed_keys
from bulk_remove.console.live import Live, moment_of
from bulk_remove.console.screen import Screen

__all__ = ["Live", "Screen", "moment_of", "typed_answer", "typed_keys"]
