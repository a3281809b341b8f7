"""The command line. It reads options, calls `run`, shows the result and exits with a code."""

import gc
import os
import sys
from io import StringIO

from bulk_remove.errors import BulkRemoveError, ExitCode

_CYCLES_SOUGHT_AFTER = 100_000
"""New containers between two garbage collections. Replies and rows create millions, all freed without a collection."""


def main() -> None:
    """Run the command and exit with its code; an expected failure prints two sentences, never a traceback.

    A signal arrives here only before a plan is approved. After that it is a StoppedError. A window that closes at the
    end stays open until an error was read.
    """
    try:
        import click  # noqa: PLC0415 - keeps `import bulk_remove.cli` fast

        from bulk_remove.cli.commands import program  # noqa: PLC0415 - likewise
        from bulk_remove.cli.signals import exit_of, opened_by_double_click, terminable  # noqa: PLC0415 - likewise
    except KeyboardInterrupt:
        _note("Stopped: nothing was sent.")
        sys.exit(ExitCode.INTERRUPTED)

    gc.set_threshold(_CYCLES_SOUGHT_AFTER)
    # Otherwise numpy's linear algebra, which is not used here, starts a busy thread on each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with terminable():
            code = program.main(standalone_mode=False, prog_name="bulk-remove")
    except click.ClickException as problem:
        told = StringIO()
        problem.show(told)
        _note(told.getvalue().rstrip())
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt) as stop:
        _note("Stopped: nothing was sent.")
        code = exit_of(stop.__cause__ or stop)
    except BulkRemoveError as error:
        from bulk_remove.console import Screen  # noqa: PLC0415 - rich only where something is shown

        Screen().error(error)
        code = error.exit_code
    finally:
        # Skip Python's last garbage collection, which would take a tenth of a second for nothing.
        gc.freeze()
    if code and len(sys.argv) == 1 and opened_by_double_click():
        _note("Press Enter to close this window.")
        sys.stdin.readline()
    sys.exit(code)


def _note(text: str) -> None:
    from bulk_remove.console import Screen  # noqa: PLC0415 - rich only where something is shown

    Screen().note(text)
