"""Write docs/reference.md from the code: `python -m tests.docs.reference --write`."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from bulk_remove import errors
from bulk_remove.adapters.reader.kinds import READABLE_KINDS
from bulk_remove.adapters.reader.packed import PACKED_KINDS
from bulk_remove.cli.commands import program
from bulk_remove.cli.profile import is_setting, key_of
from bulk_remove.core.model import FINAL_STATUSES, REPORT_COLUMNS, Status
from bulk_remove.errors import BulkRemoveError, ExitCode

PLACE = Path(__file__).parents[2] / "docs" / "reference.md"
_HEAD = """\
# Reference

Made from the code by `make reference`; what is written here by hand is lost. The [README](../README.md) says how the
commands are used.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_HEAD, "## Commands\n"]
    parts += [_command(path, command) for path, command in commands(program, "bulk-remove")]
    parts += [_exits(), _statuses(), _columns(), _formats()]
    return "\n".join(parts)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be typed, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(path: str, command: click.Command) -> str:
    ctx = click.Context(command, info_name=path)
    about = inspect.cleandoc(command.help or "").replace("\\b\n", "").replace("\b\n", "")
    rows = [_option(param, ctx) for param in command.params]
    return f"### {path}\n\n    {_usage(command, ctx)}\n\n{about}\n" + (_table(_OPTION_HEAD, rows) if rows else "")


def _usage(command: click.Command, ctx: click.Context) -> str:
    return " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])


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
        f"`{key_of(param)}`" if is_setting(param) else "",
        " ".join(str(told.get("help") or "").split()),
    )


def told_as(default: object) -> str:
    """Return a default as it would be typed."""
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
    owners = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BulkRemoveError)]
    rows = [
        (
            str(int(code)),
            f"`{code.name}`",
            ", ".join(f"`{kind.__name__}`" for kind in owners if getattr(kind, "exit_code", None) == code),
        )
        for code in ExitCode
    ]
    return "## Exit codes\n" + _table(("exit", "name", "errors in Python"), rows)


def _statuses() -> str:
    rows = [(f"`{status}`", "yes" if status in FINAL_STATUSES else "") for status in Status]
    return "## Statuses\n" + _table(("status", "final"), rows)


def _columns() -> str:
    return "## Columns of the report\n\n" + "".join(f"* `{column}`\n" for column in REPORT_COLUMNS)


def _formats() -> str:
    kinds = sorted(READABLE_KINDS | PACKED_KINDS)
    return "## Kinds of files\n\n" + "".join(f"* `{kind}`\n" for kind in kinds)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit("Usage: python -m tests.docs.reference --write")
    PLACE.write_text(reference(), encoding="utf-8")
