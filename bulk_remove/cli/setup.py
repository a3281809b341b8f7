"""The commands that ask: `setup` and the guided run.

`setup` asks for a profile's server, user, password, campaign and language, writes it after the last answer, and checks
it. The guided run asks for file, column and campaign, and then is the command `run` with these words.
"""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from getpass import getpass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from bulk_remove.cli.commands import program, words_of
from bulk_remove.cli.config_jobs import with_profile
from bulk_remove.cli.given import AccessOptions, RunOptions, server_in, server_of, store_password, take
from bulk_remove.cli.help_pages import LANGUAGE, speak
from bulk_remove.cli.profiles import (
    PASSWORD,
    RIVALS,
    SOURCES,
    key_of,
    load,
    profile_of,
    profiles_in,
    read_config,
    settings_of,
)
from bulk_remove.cli.signals import exit_of
from bulk_remove.console import Screen, typed_answer
from bulk_remove.console.screen import source_line
from bulk_remove.core.conditions import is_campaign
from bulk_remove.core.model import harmless
from bulk_remove.core.plan import read_answer
from bulk_remove.disk import written
from bulk_remove.errors import (
    ExitCode,
    InputError,
    KeepListError,
    OwnReportError,
    RefusedError,
    StoppedError,
    UnavailableError,
    UsageError,
)
from bulk_remove.language import LANGUAGES, counted, language_in_use, ours, phrase, say, translated
from bulk_remove.reader import Table, open_table
from bulk_remove.run.preflight import Listed, list_all
from bulk_remove.run.prepare import reading_of
from bulk_remove.settings import ALL, Address, Login

NO_CAMPAIGN = "00000"
"""Stands for the campaign in settings of which only those of the connection are used."""
_SHOWN = 20
_SAMPLES = 5
_LONGEST_CELL = 60
_NONE = "-"
Words = list[str]


class _Answers(NamedTuple):
    """The answers. An empty `password` keeps the stored one. `typed` are settings from the command line."""

    profile: str
    server: str
    address: Address
    user: str
    password: str
    campaign: str
    language: str
    typed: Mapping[str, Any]


def setup_job(**given: Any) -> int:
    """Set up a profile. Raises UsageError, StoppedError, and what the check of the server raises."""
    screen = Screen()
    check_terminal(screen)
    name = set_up(screen, click.get_current_context(), take(AccessOptions, given))
    _tell_next(screen, name)
    return ExitCode.OK


def check_terminal(screen: Screen) -> None:
    """Raise UsageError if nobody can be asked."""
    if not (screen.can_ask and screen.out.is_terminal):
        raise UsageError(
            "There is no terminal to ask at.",
            "Write the settings with bulk-remove config init, store the password with bulk-remove login or "
            "--password-file, and use bulk-remove run FILE.",
        )


def ask(question: str, default: str = "", *, paths: bool = False) -> str:
    """Return the answer to a question, or the default for Enter. Raises EOFError, KeyboardInterrupt."""
    shown = phrase(" [{default}]", default=default) if default else ""
    prompt = say("{question}{shown} (Ctrl-C leaves): ", question=ours(question), shown=shown)
    return _readable(partial(typed_answer, prompt, paths=paths)) or default


def _readable(read: Callable[[], str]) -> str:
    """Return what is typed; it is asked for again if it is not text in the terminal's encoding."""
    while True:
        try:
            text = read()
            text.encode()
        except UnicodeError:
            Screen().note("That is not text in this terminal's encoding.")
        else:
            return text


def set_up(screen: Screen, ctx: click.Context, options: AccessOptions) -> str:
    """Ask, write and check a profile; return its name. Raises as `setup_job` does."""
    overruled = ctx.meta.pop(PASSWORD, "")  # the check must try the password that is stored
    screen.note("Enter keeps the value in brackets. Nothing is written before the last answer.")
    try:
        answers = _asked(screen, ctx, options)
    except (EOFError, KeyboardInterrupt) as stop:
        raise StoppedError(
            "Stopped: no setting was changed.", "Start again with: bulk-remove setup", exit_of(stop)
        ) from None
    file = profile_of(ctx).file
    _write(screen, file, answers)
    if overruled:
        screen.note("BULK_REMOVE_PASSWORD is set and overrides the stored password: unset it.")
    words = ["--config", str(file), "--profile", answers.profile]
    with program.commands["check"].make_context("check", words, parent=ctx.find_root()) as own:
        own.command.invoke(own)
    return answers.profile


def _asked(screen: Screen, ctx: click.Context, options: AccessOptions) -> _Answers:
    language = _language(screen)
    server, address = _server(screen, options.server.url or options.server.system or "")
    while True:
        own = _context_of(ctx, address)
        speak(language)  # the profile may have another one
        with own.scope(cleanup=False):
            mine = take(AccessOptions, own.params)
            user, password = _login(screen, mine, address)
            stored = password or _stored(mine, address, user)
            settings = mine.given.settings(campaign=NO_CAMPAIGN, campaign_column=None)
            try:
                listed = list_all(settings, address, Login(user, stored), mine.state_dir)
                break
            except UnavailableError as error:
                screen.error(error)
                listed = ()
                break
            except RefusedError as error:
                screen.error(error)
        server, address = _server(screen, server)
    campaign = choose_campaign(screen, listed, mine.given.values["campaign"] or "", needed=False)
    return _Answers(profile_of(own).name, server, address, user, password, campaign, language, _typed(ctx))


def _language(screen: Screen) -> str:
    codes = ", ".join(LANGUAGES)
    while (code := ask(phrase("Language ({codes})", codes=codes), language_in_use().code).lower()) not in LANGUAGES:
        screen.note(phrase("Only these languages are known: {codes}.", codes=codes))
    speak(code)
    return code


def _server(screen: Screen, default: str) -> tuple[str, Address]:
    """Return the server as it was typed, and its address."""
    while True:
        text = ask("System (NAME of https://NAME.thulium.com, or a whole address)", default)
        if not text:
            screen.note("A system or an address is needed.")
            continue
        try:
            if "." in text or "://" in text:
                return text, Address.parse(text if "://" in text else f"https://{text}")
            return text, Address.of_system(text)
        except UsageError as error:
            screen.error(error)


def _context_of(ctx: click.Context, address: Address) -> click.Context:
    """Return a context with the settings of the profile for a server."""
    name = _profile_for(ctx, address)
    if name == profile_of(ctx).name:
        return ctx
    words = words_of(ctx)
    if "profile" not in ctx.params or ctx.get_parameter_source("profile") is not ParameterSource.COMMANDLINE:
        words += ["--profile", name]
    return program.commands["setup"].make_context("setup", words, parent=ctx.find_root())


def _profile_for(ctx: click.Context, address: Address) -> str:
    """Return the profile to write: the typed one, one with this server, or a new one named after the server."""
    chosen = profile_of(ctx)
    if ctx.get_parameter_source("profile") in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}:
        return chosen.name
    settings = settings_of(program)
    of = {name: server_in(load(chosen.file, name, settings, needed=False)) for name in profiles_in(chosen.file)}
    same = [name for name, own in of.items() if own and server_of(own) == server_of(address)]
    if chosen.name and (chosen.name in same or of.get(chosen.name) is None):
        return chosen.name
    new = re.sub(r"[^A-Za-z0-9_-]+", "-", address.host.removesuffix(".thulium.com")).strip("-")
    names = chain(same, (new,), (f"{new}-{more}" for more in count(2)))
    return next(name for name in names if name in same or of.get(name) is None)


def _login(screen: Screen, options: AccessOptions, address: Address) -> tuple[str, str]:
    """Return the user and the typed password, which is empty if the stored one is kept."""
    while not (user := ask("API user", options.user.user or "")) or ":" in user:
        screen.note("An API user is needed, a name without a colon: Administration > Users > API users in the panel.")
    kept = phrase(", Enter keeps the stored one") if _stored(options, address, user) else ""
    prompt = say("Password of {user}{kept} (not shown while you type): ", user=user, kept=kept)
    while not (password := _readable(partial(getpass, prompt))) and not kept:
        screen.note("A password is needed.")
    return user, password


def _stored(options: AccessOptions, address: Address, user: str) -> str:
    """Return the stored password of a user, empty if there is none that can be used."""
    if user != options.user.user:
        return ""
    with suppress(UsageError):
        return options.user.password(address)
    return ""


def choose_campaign(screen: Screen, listed: Sequence[Listed], default: str, *, needed: bool) -> str:
    """Return a campaign, chosen by its name, its place in the list or its identifier; `all`; empty for none."""
    if not listed:
        screen.note("The server shows no list of campaigns: give the identifier, such as 00001.")
    for place, each in enumerate(listed[:_SHOWN], 1):
        screen.tell(phrase("  {place:>2}  {campaign}", place=place, campaign=_told(each)))
    if len(listed) > _SHOWN:
        more = counted(len(listed) - _SHOWN, "and {count:,} more campaign", "and {count:,} more campaigns")
        screen.tell(phrase("  {more}: type a part of the name", more=more))
    question = "Campaign, by number, name or identifier" if needed else "Campaign, or - for none"
    while True:
        answer = ask(question, default)
        if not needed and answer in {"", _NONE}:
            return ""
        if answer and answer in {ALL, default} and not is_campaign(answer):  # all, or the several ids of a profile
            return answer
        found = _campaigns(answer, listed)
        if len(found) == 1:
            return found[0]
        screen.note("More than one campaign matches." if found else "No campaign matches.")
        for each in [each for each in listed if each.campaign in found][:_SHOWN]:
            screen.tell(phrase("  {campaign}", campaign=_told(each)))


def _told(each: Listed) -> str:
    records = "" if each.records is None else counted(each.records, "{count:,} record", "{count:,} records")
    return phrase("{id}  {name}  {records}", id=each.campaign, name=harmless(each.name), records=records)


def _campaigns(answer: str, listed: Sequence[Listed]) -> list[str]:
    """Return the campaigns that an answer may mean: the only one, if it is exact."""
    if is_campaign(answer) and (not listed or answer in {each.campaign for each in listed}):
        return [answer]
    if answer.isdecimal() and 0 < int(answer) <= min(len(listed), _SHOWN):
        return [listed[int(answer) - 1].campaign]
    named = [each for each in listed if answer and answer.casefold() in each.name.casefold()]
    exact = [each for each in named if each.name.casefold() == answer.casefold()]
    return [each.campaign for each in exact or named]


def _typed(ctx: click.Context) -> dict[str, Any]:
    """Return the typed settings that are not asked for, by their keys in the file."""
    asked = {"system", "url", "user", "campaign", LANGUAGE}
    typed: dict[str, Any] = {}
    for param in ctx.command.get_params(ctx):
        key = key_of(param)
        if key and key not in asked and ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE:
            value = ctx.params[str(param.name)]
            typed[key] = str(Path(value).absolute()) if isinstance(param.type, click.Path) else value
    return typed


def _write(screen: Screen, file: Path, answers: _Answers) -> None:
    """Write the profile and its password. Raises UsageError."""
    server = "url" if "." in answers.server or "://" in answers.server else "system"
    values = {
        server: answers.address.origin + answers.address.base_path if server == "url" else answers.server,
        "user": answers.user,
        "campaign": answers.campaign or None,
        LANGUAGE: answers.language,
        **answers.typed,
    }
    values |= {
        rival: None for rivals in RIVALS for key in rivals if values.get(key) for rival in rivals if rival != key
    }
    secret = _secret_place(file, answers.profile)
    _changed(file, answers.profile, {**values, **dict.fromkeys(SOURCES), "password_file": secret.name})
    if answers.password:
        kept = _keep_password(screen, file, answers, secret)
        values |= {**dict.fromkeys(SOURCES), "password_file": kept}
    text = _changed(file, answers.profile, values)
    _write_file(file, file.resolve(), text)  # a link to it stays
    screen.tell(phrase("Written: [profile.{name}] in {file}", name=answers.profile, file=file))


def _changed(file: Path, name: str, values: Mapping[str, Any]) -> str:
    """Return the text of the settings file with a profile's values. Raises UsageError if it cannot be changed."""
    text = file.read_bytes().decode("utf-8-sig") if read_config(file) is not None else ""
    changed = with_profile(text, name, values)
    if changed is None:
        lines = "; ".join(f"{key} = ..." for key, value in values.items() if value is not None)
        raise UsageError(
            phrase("{file} cannot be changed without changing something else in it.", file=file),
            phrase("Change [profile.{name}] in it yourself: {lines}", name=name, lines=lines),
        )
    return changed


def _secret_place(file: Path, name: str) -> Path:
    """Return the file for a profile's password: one that an earlier setup wrote for it, or a free name."""
    profiles = (read_config(file) or {}).get("profile", {})
    own = file.parent / str(profiles.get(name, {}).get("password_file") or "")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    names = chain((f"{stem}-password",), (f"{stem}-password-{more}" for more in count(2)))
    return next(place for each in names if (place := file.parent / each) == own or not os.path.lexists(place))


def _keep_password(screen: Screen, file: Path, answers: _Answers, place: Path) -> str | None:
    """Store the password; return the name of its file, or None if it is in the keyring. Raises UsageError."""
    if not {*(read_config(file) or {}).get("defaults", {})} & {*SOURCES}:  # those would be used before the keyring
        with suppress(UsageError):
            name = store_password(server_of(answers.address), answers.user, answers.password)
            screen.tell(phrase("The password is stored in the keyring: {name}.", name=name))
            return None
    _write_file(place, place, f"{answers.password}\n", 0o600)
    screen.tell(phrase("The password is stored in {place}, which only you can read.", place=place))
    return place.name


def _write_file(named: Path, place: Path, text: str, mode: int | None = None) -> None:
    """Write a file that is private unless it already has another mode. Raises UsageError, which names it."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = mode or (stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o600)
        with written(place, mode) as aside:
            aside.file.write(text.encode())
    except OSError as error:
        problem = ours(str(error.strerror))
        raise UsageError(
            phrase("{place} cannot be written: {problem}.", place=named, problem=problem),
            "Name another place with --config.",
        ) from None


def _tell_next(screen: Screen, name: str) -> None:
    """Show the commands to go on with."""
    ctx = click.get_current_context()
    default = (read_config(profile_of(ctx).file) or {}).get("default_profile") == name
    more = "" if default else f" --profile {name}"
    screen.tell("Next, with your file in place of opt-outs.csv:")
    for command, about in (
        (f"bulk-remove plan opt-outs.csv{more}", "look at the plan; nothing is removed"),
        (f"bulk-remove run opt-outs.csv{more}", "remove, after a question"),
        (f"bulk-remove ui{more}", "do it in the browser"),
        ("bulk-remove", "be asked for everything, step by step"),
    ):
        screen.tell(phrase("  {command:<50} {about}", command=command, about=translated(about)))


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
        with _options(root, ["-", *words]) as options:
            options.user.login(options.server.address())
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
            with _options(root, [file, *words, *flags]) as options:
                settings = options.given.settings(campaign=NO_CAMPAIGN, campaign_column=None)
                table = open_table(file, reading_of(settings, options.state_dir))
            _show(screen, table)
            fits, question = True, "Enter if this is right, else the column (name or position), sheet NAME, or file"
        except InputError as error:
            screen.error(error)
            if isinstance(error, OwnReportError | KeepListError):
                return None
            fits, question = False, "The column (name or position), sheet NAME, or Enter for another file"
        answer = ask(question)
        first, _, rest = answer.partition(" ")
        if not answer:
            return flags if fits else None
        if answer.casefold() in {"file", translated("file")}:
            return None
        if rest and first.casefold() in {"sheet", translated("sheet")}:
            chosen = {"--sheet": rest.strip()}
        else:
            chosen["--column"] = answer


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
