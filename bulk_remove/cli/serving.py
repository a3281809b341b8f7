"""The commands that serve until they are stopped.

`ui`: the profiles that its page may use, and the link that opens it. `simulate`: the stand-in for Thulium.
"""

import webbrowser
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from functools import partial
from html import escape
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.cli.aftermath import logged
from bulk_remove.cli.commands import words_of
from bulk_remove.cli.given import AccessOptions, take
from bulk_remove.cli.profiles import profile_of, profiles_in
from bulk_remove.cli.setup import NO_CAMPAIGN, offer_setup
from bulk_remove.cli.signals import stop_on_signals
from bulk_remove.console import Screen
from bulk_remove.core.summary import Ending
from bulk_remove.disk import private
from bulk_remove.errors import ExitCode, UsageError
from bulk_remove.language import phrase
from bulk_remove.page.server import serve
from bulk_remove.page.work import Access
from bulk_remove.run.folders import make_private
from bulk_remove.simulator.api import Faults, Operation, Rules
from bulk_remove.simulator.server import Simulator, SimulatorOptions
from bulk_remove.simulator.server import serve as serve_simulator
from bulk_remove.simulator.world import Habits


def ui_job(**given: Any) -> int:
    """Serve the page until it is stopped. Raises UsageError, StorageError."""
    options, screen, ctx = take(AccessOptions, given), Screen(), click.get_current_context()
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
            partial(_tell, screen, door if given["browser"] else None),
            partial(_until_stopped, screen),
        )
    finally:
        door.unlink(missing_ok=True)
    return ExitCode.OK


def _profiles(ctx: click.Context, options: AccessOptions) -> list[str]:
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
        options = take(AccessOptions, own.params)
        address = options.server.address()
        login = options.user.login(address)
        campaign = options.given.values["campaign"] or ""
        settings = options.given.settings(campaign=campaign or NO_CAMPAIGN, campaign_column=None)
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


def simulate_job(**given: Any) -> int:
    """Serve a stand-in for Thulium until stopped. Raises UsageError for a wrong port, file or fault."""
    try:
        habits = Habits(
            given["seed"],
            given["busy_share"],
            given["busy_seconds"],
            given["duplicate_share"],
            given["absent_share"],
            tuple((name, float(weight or 1)) for name, _, weight in (each.partition("=") for each in given["forms"])),
        )
        rates = _rates(given["faults"])
        serve_simulator(
            SimulatorOptions(
                port=given["port"],
                campaigns=given["campaigns"],
                numbers_csv=Path(given["numbers"]) if given["numbers"] else None,
                additional_column=given["additional_column"],
                habits=habits,
                faults=Faults(
                    **rates, rate_limit_per_s=given["rate_limit"], latency_s=given["latency"], seed=given["seed"]
                ),
                rules=Rules(forbidden=frozenset(map(Operation, given["forbid"]))),
                audit_path=Path(given["audit"]) if given["audit"] else None,
            ),
            _announce,
        )
    except OSError as error:
        raise UsageError(
            phrase("The simulator cannot start: {problem}.", problem=error.strerror or error),
            "Check --port, --numbers and --audit.",
        ) from None
    except ValueError as error:
        raise UsageError(
            phrase("The simulator cannot start: {problem}.", problem=error), "Check the shares, forms and faults."
        ) from None
    return 0


def _rates(pairs: Sequence[str]) -> dict[str, Any]:
    names = [field.name for field in fields(Faults) if field.type is float and field.default == 0.0]
    rates = {}
    for pair in pairs:
        name, _, rate = pair.partition("=")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise UsageError(
                phrase("--fault {pair} has no rate.", pair=pair), "Write NAME=RATE, for example dropped_after=0.05."
            ) from None
        if name not in names:
            raise UsageError(
                phrase("--fault {name!r} does not exist.", name=name),
                phrase("Choose from: {names}.", names=", ".join(names)),
            )
    return rates


def _announce(ready: Simulator) -> None:
    try_it = phrase("bulk-remove check --url {url} --user {user} -c 00001", url=ready.url, user=ready.rules.user)
    click.echo(
        phrase(
            "Serving on {url} as user {user!r}, password {password!r}. Stop with Ctrl-C.",
            url=ready.url,
            user=ready.rules.user,
            password=ready.rules.password,
        )
    )
    click.echo(
        phrase(
            "In another terminal: BULK_REMOVE_PASSWORD={password} {try_it}",
            password=ready.rules.password,
            try_it=try_it,
        )
    )
