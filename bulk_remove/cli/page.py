"""`bulk-remove ui`: the profiles that the page may use, and the link that opens it."""

import webbrowser
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from html import escape
from pathlib import Path
from secrets import token_hex
from threading import Thread

import click
from click.core import ParameterSource

from bulk_remove.cli.aftermath import logged
from bulk_remove.cli.commands import words_of
from bulk_remove.cli.given import PageOptions, take
from bulk_remove.cli.guide import offer_setup
from bulk_remove.cli.profiles import profile_of, profiles_in
from bulk_remove.cli.signals import stop_on_signals
from bulk_remove.console import Screen
from bulk_remove.core.summary import Ending
from bulk_remove.disk import private
from bulk_remove.errors import ExitCode, UsageError
from bulk_remove.language import phrase
from bulk_remove.page.server import serve
from bulk_remove.page.work import Access
from bulk_remove.run.folders import make_private

_NO_CAMPAIGN = "00000"
"""Stands for the campaign until somebody chooses one on the page."""


def ui_job(options: PageOptions) -> int:
    """Serve the page until it is stopped. Raises UsageError, StorageError."""
    screen, ctx = Screen(), click.get_current_context()
    if screen.can_ask and not options.server.named and not profiles_in(profile_of(ctx).file):
        offer_setup(screen, ctx, ["--config", str(profile_of(ctx).file)])
        with ctx.command.make_context("ui", words_of(ctx), parent=ctx.parent) as own:
            return int(own.command.invoke(own))
    door = make_private(options.state_dir, "page") / f"{token_hex(8)}.html"
    try:
        serve(
            _profiles(ctx, options),
            partial(_access, screen, ctx),
            options.state_dir,
            partial(_tell, screen, door if options.browser else None),
            partial(_until_stopped, screen),
        )
    finally:
        door.unlink(missing_ok=True)
    return ExitCode.OK


def _profiles(ctx: click.Context, options: PageOptions) -> list[str]:
    """Return the profiles to choose from: the typed one, or all. An empty name means no profile."""
    profile = profile_of(ctx)
    if ctx.get_parameter_source("profile") is ParameterSource.COMMANDLINE or not profile.there:
        return [profile.name]
    first = [profile.name] if profile.name or options.server.named else []
    return [*dict.fromkeys([*first, *profiles_in(profile.file)])] or [profile.name]


def _access(screen: Screen, ctx: click.Context, profile: str) -> Access:
    """Return the access of a profile. Raises UsageError."""
    words = words_of(ctx)
    if profile != profile_of(ctx).name:
        words += ["--profile", profile]
    try:
        own = ctx.command.make_context("ui", words, parent=ctx.parent)
    except click.UsageError as error:
        raise UsageError(error.format_message(), "Correct it in the profile.") from None
    with own.scope(cleanup=False):
        options = take(PageOptions, own.params)
        address = options.server.address()
        login = options.user.login(address)
        campaign = options.given.values["campaign"] or ""
        settings = options.given.settings(campaign=campaign or _NO_CAMPAIGN, campaign_column=None)
    return Access(settings, address, login, options.state_dir, campaign, lambda folder: logged(folder, screen))


def _tell(screen: Screen, door: Path | None, link: str) -> None:
    """Print the link and open it by way of a private file: every user can read the arguments of a process."""
    screen.tell(phrase("The page: {link}", link=link))
    screen.tell("The link works once, in one browser. Leave this window open; Ctrl-C ends the page.")
    if door is None:
        return
    with open(door, "w", encoding="utf-8", newline="\n", opener=private) as file:
        file.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={escape(link)}">')
    Thread(target=webbrowser.open, args=(door.as_uri(),), daemon=True).start()  # some browsers block their caller


def _until_stopped(screen: Screen, stop: Callable[[Ending], None]) -> AbstractContextManager[None]:
    note = "Stopping: requests under way are finished first. Press Ctrl-C again to stop at once."
    return stop_on_signals(stop, lambda: screen.note(note))
