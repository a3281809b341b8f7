"""The command line: options in, one call into `run`, result out, exit code. It wires only."""

import sys

from bulk_remove.errors import BulkRemoveError, ExitCode


def main() -> None:
    """Run the command and exit with its code; an expected failure is two sentences, never a traceback."""
    import click  # noqa: PLC0415 - `import bulk_remove.cli` itself stays light

    from bulk_remove.cli.commands import program  # noqa: PLC0415 - likewise

    try:
        sys.exit(program.main(standalone_mode=False, prog_name="bulk-remove"))
    except click.ClickException as problem:
        problem.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped: nothing was sent.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BulkRemoveError as error:
        from bulk_remove.adapters.console import Screen  # noqa: PLC0415 - rich only where something is shown

        Screen().error(error)
        sys.exit(error.exit_code)
