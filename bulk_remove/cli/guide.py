"""The guided run: asks for file, column and campaign, and then is the command `run` with these words."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import click
from click.core import ParameterSource

from bulk_remove.cli.commands import program, words_of
from bulk_remove.cli.given import AccessOptions, RunOptions, take
from bulk_remove.cli.profiles import profile_of, profiles_in
from bulk_remove.cli.setup import NO_CAMPAIGN, ask, check_terminal, choose_campaign, set_up
from bulk_remove.console import Screen
from bulk_remove.console.screen import source_line
from bulk_remove.core.model import harmless
from bulk_remove.core.plan import read_answer
from bulk_remove.errors import InputError, KeepListError, OwnReportError, UsageError
from bulk_remove.language import phrase, translated
from bulk_remove.reader import Table, open_table
from bulk_remove.run.preflight import list_all
from bulk_remove.run.prepare import reading_of

_SAMPLES = 5
_LONGEST_CELL = 60
Words = list[str]


def guide_job() -> int:
    """Ask, then run; return the exit code. Raises click.Abort at the end of input, and what `run` raises."""
    screen, root = Screen(), click.get_current_context().find_root()
    check_terminal(screen)
    screen.note("This removes phone numbers from a campaign, step by step.", "bold")
    screen.note("Nothing is removed before you confirm how many. Ctrl-C leaves at any time.")
    try:
        words = _with_server(screen, root, words_of(click.get_current_context()))
        words = _with_file(screen, root, words)
        words = _with_campaign(screen, root, words)
    except EOFError as end:
        raise click.Abort from end
    typed = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    screen.note(phrase("The same as: bulk-remove run {words}", words=typed))
    with program.commands["run"].make_context("run", words, parent=root) as own:
        return int(own.command.invoke(own) or 0)


@contextmanager
def _options(root: click.Context, words: Sequence[str]) -> Iterator[RunOptions]:
    """Give the options that `run` would have with these words. Raises UsageError."""
    own = program.commands["run"].make_context("run", [*words], parent=root)
    with own.scope(cleanup=False):
        yield take(RunOptions, own.params)


def _with_server(screen: Screen, root: click.Context, words: Words) -> Words:
    """Return the words with a profile that has a server, a user and a password; one is set up if there is none."""
    try:
        _check_login(root, words)
    except UsageError as error:
        profile = profile_of(click.get_current_context())
        names = [] if profile.name or "--profile" in words else profiles_in(profile.file)
        if names:
            return _with_server(screen, root, [*words, "--profile", _profile(screen, names)])
        screen.note(error.sentence)
        name = offer_setup(screen, root, words)
        return words if "--profile" in words else [*words, "--profile", name]
    return words


def offer_setup(screen: Screen, ctx: click.Context, words: Words) -> str:
    """Offer to set up a profile; return its name. Raises UsageError if the answer is no."""
    if not read_answer(ask("Set up server, user and password now?", translated("yes")), 1):
        raise UsageError("There is no server, user and password yet.", "Set them up with: bulk-remove setup")
    with program.commands["setup"].make_context("setup", [*words], parent=ctx.find_root()) as own:
        return set_up(screen, own, take(AccessOptions, own.params))


def _check_login(root: click.Context, words: Words) -> None:
    with _options(root, ["-", *words]) as options:
        options.user.login(options.server.address())


def _profile(screen: Screen, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names)
    while (name := ask(phrase("Profile ({listed})", listed=listed), names[0])) not in names:
        screen.note(phrase("There is no profile {name!r}.", name=harmless(name)))
    return name


def _with_file(screen: Screen, root: click.Context, words: Words) -> Words:
    while True:
        typed = ask("File with the numbers, Tab completes it", paths=True)
        if not typed:
            continue
        file = _file(typed)
        if not (os.path.lexists(file) and Path(file).is_file()):
            screen.note(phrase("There is no file {file}.", file=harmless(file)))
            continue
        chosen = _column(screen, root, file, words)
        if chosen is not None:
            return [file, *words, *chosen]


def _file(typed: str) -> str:
    """Return the path that was typed, or dropped on the terminal, which quotes it."""
    path = Path(typed)
    with suppress(RuntimeError):  # there is no such user
        path = path.expanduser()
    is_there = os.path.lexists(path)  # false for a name that no file can have, where Path.exists raises
    if not is_there and typed[:1] in {"'", '"'} and typed[-1:] == typed[:1]:
        path = Path(typed[1:-1])
    elif not is_there and os.name == "posix" and "\\" in typed:
        path = Path(typed.replace("\\", ""))
    return f".{os.sep}{path}" if str(path).startswith("-") else str(path)


def _column(screen: Screen, root: click.Context, file: str, words: Words) -> Words | None:
    """Return the words for the column and the sheet of a file; None if another file is wanted."""
    chosen: dict[str, str] = {}
    while True:
        flags = [word for pair in chosen.items() for word in pair]
        try:
            table = _opened(root, [file, *words, *flags])
            _show(screen, table)
            question = "Enter if this is right, else the column (name or position), sheet NAME, or file"
        except InputError as error:
            screen.error(error)
            if isinstance(error, OwnReportError | KeepListError):
                return None
            table, question = None, "The column (name or position), sheet NAME, or Enter for another file"
        answer = ask(question)
        first, _, rest = answer.partition(" ")
        if not answer:
            return flags if table else None
        if answer.casefold() in {"file", translated("file")}:
            return None
        if rest and first.casefold() in {"sheet", translated("sheet")}:
            chosen = {"--sheet": rest.strip()}
        else:
            chosen["--column"] = answer


def _opened(root: click.Context, words: Words) -> Table:
    with _options(root, words) as options:
        settings = options.given.settings(campaign=NO_CAMPAIGN, campaign_column=None)
        return open_table(words[0], reading_of(settings, options.state_dir))


def _show(screen: Screen, table: Table) -> None:
    """Show the column of a file, its other columns, and its first filled cells as they are."""
    screen.tell(phrase("  {source}", source=source_line(table.source)))
    names = ", ".join(f"{place} '{harmless(name)}'" for place, name in enumerate(table.source.header, 1))
    screen.tell(phrase("  columns: {names}", names=names))
    pairs = (pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True) if pair[1])
    for row, cell in islice(pairs, _SAMPLES):
        screen.tell(phrase("    row {row}: {cell}", row=row, cell=cell[:_LONGEST_CELL]))


def _with_campaign(screen: Screen, root: click.Context, words: Words) -> Words:
    with _options(root, words) as options:
        canary = click.get_current_context().get_parameter_source("canary")
        first = ["--canary"] if canary is ParameterSource.DEFAULT else []
        if options.given.values["campaign_column"]:
            return [*words, *first]
        settings = options.given.settings(campaign=NO_CAMPAIGN, campaign_column=None)
        address = options.server.address()
        listed = list_all(settings, address, options.user.login(address), options.state_dir)
        campaign = choose_campaign(screen, listed, options.given.values["campaign"] or "", needed=True)
    return [*words, "--campaign", campaign, *first]
