"""The command line: options in, one call into `run`, result out, exit code. It wires only."""

import gc
import os
import sys
from io import StringIO

from bulk_remove.errors import BulkRemoveError, ExitCode

_CYCLES_SOUGHT_AFTER = 100_000
"""Containers made between two looks for cycles. Replies and rows make them by the million and let go of all of them."""


def main() -> None:
    """Run the command and exit with its code; an expected failure is two sentences, never a traceback.

    Signals get here only while nothing is sent: from a plan's approval on, they are StoppedErrors.
    """
    import click  # noqa: PLC0415 - `import bulk_remove.cli` itself stays light

    from bulk_remove.cli.commands import program  # noqa: PLC0415 - likewise
    from bulk_remove.cli.signals import exit_of, terminable  # noqa: PLC0415 - likewise

    gc.set_threshold(_CYCLES_SOUGHT_AFTER)
    # numpy's linear algebra, which nothing here uses, would start a thread for each core, and each spins for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with terminable():
            code = program.main(standalone_mode=False, prog_name="bulk-remove")
        sys.exit(code)
    except click.ClickException as problem:
        told = StringIO()
        problem.show(told)
        _note(told.getvalue().rstrip())
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt) as stop:
        _note("Stopped: nothing was sent.")
        sys.exit(exit_of(stop.__cause__ or stop))
    except BulkRemoveError as error:
        from bulk_remove.console import Screen  # noqa: PLC0415 - rich only where something is shown

        Screen().error(error)
        sys.exit(error.exit_code)
    finally:
        # As it ends, Python would look for cycles in all that was imported: a tenth of a second for nothing.
        gc.freeze()


def _note(text: str) -> None:
    from bulk_remove.console import Screen  # noqa: PLC0415 - rich only where something is shown

    Screen().note(text)
