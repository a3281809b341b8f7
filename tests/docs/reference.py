"""Write docs/reference.md from the code: `python -m tests.docs.reference --write`."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from bulk_remove import errors
from bulk_remove.cli.commands import program
from bulk_remove.cli.profiles import key_of
from bulk_remove.core.model import FINAL_STATUSES, REPORT_COLUMNS, Status
from bulk_remove.core.summary import MEANING, Ending, exit_code
from bulk_remove.errors import BulkRemoveError, ExitCode, InvariantError
from bulk_remove.reader.source import PACKED_KINDS, READABLE_KINDS

PLACE = Path(__file__).parents[2] / "docs" / "reference.md"
_HEAD = """\
# Reference

Made from the code by `make reference`; what is written here by hand is lost. The [guide](guide.md) says how the
commands are used.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_HEAD, "## Commands\n"]
    parts += [_command(ctx) for ctx in commands()]
    parts += [_exits(), _statuses(), _columns(), _formats()]
    return "\n".join(parts)


def commands() -> Iterator[click.Context]:
    """Yield the program, then every command and group that can be typed, each with the words that call it."""
    return _below(click.Context(program, info_name="bulk-remove"))


def _below(ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name, command in ctx.command.commands.items():
            yield from _below(click.Context(command, ctx, info_name=name))


def options(ctx: click.Context) -> list[click.Parameter]:
    """Return what a command takes, but for --help, which all take."""
    return [param for param in ctx.command.get_params(ctx) if param is not ctx.command.get_help_option(ctx)]


def _command(ctx: click.Context) -> str:
    about = inspect.cleandoc(ctx.command.help or "").replace("\\b\n", "").replace("\b\n", "")
    rows = [_option(param, ctx) for param in options(ctx)]
    parts = [f"### {ctx.command_path}\n", f"    {_usage(ctx)}\n", f"{about}\n"]
    parts += [f"{ctx.command.epilog}\n"] if ctx.command.epilog else []
    return "\n".join(parts) + (_table(_OPTION_HEAD, rows) if rows else "")


def _usage(ctx: click.Context) -> str:
    return " ".join([ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])


_OPTION_HEAD = ("option", "type", "default", "variable", "profile key", "meaning")


def _option(param: click.Parameter, ctx: click.Context) -> tuple[str, ...]:
    told = param.to_info_dict()
    names = [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else [param.make_metavar(ctx)]
    flag = isinstance(param, click.Option) and param.is_flag
    default = told["default"]
    shown = "" if default in (None, (), "", False) or callable(default) else f"`{told_as(default)}`"
    return (
        ", ".join(f"`{name}`" for name in names),
        "flag" if flag else _type(param, ctx),
        shown,
        f"`{param.envvar}`" if param.envvar else "",
        f"`{key}`" if (key := key_of(param)) else "",
        " ".join(str(told.get("help") or "").split()),
    )


def told_as(default: object) -> str:
    """Return a default as it would be typed."""
    if isinstance(default, tuple):
        return " ".join(map(told_as, default))
    return "on" if default is True else str(default)


def _type(param: click.Parameter, ctx: click.Context) -> str:
    if isinstance(param.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in param.type.choices)
    metavar = param.make_metavar(ctx) if isinstance(param, click.Option) else param.type.name
    return metavar.strip("[]").lower()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _exits() -> str:
    rows = [(str(int(code)), f"`{code.name}`", _endings(code), *_errors(code)) for code in ExitCode]
    return "## Exit codes\n" + _table(("exit", "name", "a run that ended so", "errors in Python", "which mean"), rows)


def _endings(code: ExitCode) -> str:
    """Return how a run ends with this code: why its sending ended, and what it left open when nothing cut it short."""
    endings = [ending.value for ending in Ending if ending is not Ending.KILLED and exit_code(ending, {}) is code]
    left = [f"`{status}`" for status in Status if exit_code(Ending.DONE, {status: 1}) is not ExitCode.OK]
    return "; ".join(
        [*endings, *([f"{Ending.DONE}, and left {', '.join(left)}"] if code is ExitCode.NOT_FINAL else [])]
    )


def _errors(code: ExitCode) -> tuple[str, str]:
    """Return the errors that end a command with this code, and what their docstrings say."""
    owners: list[type[Exception]] = [InvariantError] if code is ExitCode.BUG else []
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, BulkRemoveError) and getattr(kind, "exit_code", None) is code:
            owners.append(kind)
    return ", ".join(f"`{kind.__name__}`" for kind in owners), " ".join(inspect.getdoc(kind) or "" for kind in owners)


def _statuses() -> str:
    rows = [(f"`{status}`", MEANING[status], "yes" if status in FINAL_STATUSES else "") for status in Status]
    return "## Statuses\n" + _table(("status", "meaning", "final"), rows)


_COLUMNS = """\
## Columns of the report

In their order; what they hold is in the [guide](guide.md#read-the-report).

"""


def _columns() -> str:
    return _COLUMNS + "".join(f"* `{column}`\n" for column in REPORT_COLUMNS)


def _formats() -> str:
    kinds = sorted(READABLE_KINDS | PACKED_KINDS)
    return "## Kinds of files\n\n" + "".join(f"* `{kind}`\n" for kind in kinds)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit("Usage: python -m tests.docs.reference --write")
    PLACE.write_text(reference(), encoding="utf-8")
