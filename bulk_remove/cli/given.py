"""What was given to a command: its options as one typed value, the settings in them, and the login.

The password comes from the nearest of its sources: the environment, a private file, a command or the system's keyring,
never the command line. The keyring is an optional extra and is loaded only where it is needed. A password in it stands
under its server's name, so that it is never offered to another one.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import click
from click.core import ParameterSource

from bulk_remove.cli.profiles import PASSWORD, Profile, profile_of
from bulk_remove.core.model import ReportFormat
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase
from bulk_remove.settings import SETTINGS, Address, Later, Login, Settings

if TYPE_CHECKING:
    from bulk_remove.reader import SetAside

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """Settings by field as the options give them, before they are checked. `typed` are those that were typed now."""

    values: Mapping[str, Any]
    typed: frozenset[str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return those among a command's options."""
        ctx = click.get_current_context()
        named = {name: each.option for name, each in SETTINGS.items() if each.option in given}
        typed = (
            name for name, option in named.items() if ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE
        )
        return cls({name: given[option] for name, option in named.items()}, frozenset(typed))

    def settings(self, **others: str | None) -> Settings:
        """Return the settings, of which `others` are given by the command itself. Raises UsageError."""
        return Settings(**{name: _read(name, value) for name, value in {**self.values, **others}.items()})

    def changes(self, later: Later, *, typed_only: bool) -> dict[str, Any]:
        """Return what is to be changed of an earlier run's settings, of those that may be.

        With `typed_only` what the environment says does not count: it was not meant for that run. But numbers that must
        never be removed count wherever they are named. Raises UsageError.
        """
        return {
            name: _read(name, value)
            for name, value in self.values.items()
            if value not in (None, "", ())
            and SETTINGS[name].later >= later
            and (not typed_only or name == "keep" or name in self.typed)
        }


def _read(name: str, value: Any) -> Any:
    read = SETTINGS[name].read
    return value if read is None or value is None else read(value)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Which server: by its address, or by its system's name."""

    url: str | None = None
    system: str | None = None

    @property
    def named(self) -> bool:
        """Whether one is given."""
        return bool(self.url or self.system)

    def address(self) -> Address:
        """Return the server's address. Raises UsageError."""
        if self.url and self.system:
            raise UsageError("Both --url and --system are given.", "Give one of them.")
        if self.system:
            return Address.of_system(self.system)
        if not self.url:
            raise UsageError(
                "No server is given.", "Set --url, --system or BULK_REMOVE_URL, or use a profile: bulk-remove config."
            )
        return Address.parse(self.url)


@dataclass(frozen=True, slots=True)
class UserOptions:
    """The API user, and where its password may come from."""

    user: str | None
    password_env: str = ""
    password_file: str = ""
    password_command: str = ""

    def login(self, address: Address, earlier_user: str = "") -> Login:
        """Return the user, else that of an earlier run, with the password for a server. Raises UsageError."""
        user = self.user or earlier_user
        return Login(user, replace(self, user=user).password(address))

    def password(self, address: Address) -> str:
        """Return the user's password for a server, empty where there is none. Raises UsageError.

        A source that was typed comes before BULK_REMOVE_PASSWORD, and that before one of the profile. Without any of
        them the system's keyring is asked.
        """
        environment = {**os.environ, PASSWORD: password_variable()}
        if not environment[PASSWORD]:
            _check_whose(address)
        password = read_password(environment, self.password_env, self.password_file, self.password_command)
        if not password and self.user:
            password = stored_password(server_of(address), self.user)
        return password


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Where the report goes, and what is written; `yes` agrees to the removal beforehand."""

    yes: bool
    also: tuple[ReportFormat, ...] | None
    csv_for: str | None
    output: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class AftermathOptions:
    """What is told when a command has ended; server and campaign name it where no run was carried out."""

    log_format: str
    quiet: bool
    metrics_file: Path | None
    notify: tuple[str, ...]
    notify_on: str
    server: ServerOptions
    campaign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The options of `plan`, and those of `run` that say what is read. `copy` is what a night took of its file."""

    given: GivenSettings
    server: ServerOptions
    user: UserOptions
    state_dir: Path
    show_numbers: bool
    files: tuple[str, ...] = ()
    copy: "SetAside | None" = None
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(PlanOptions):
    """The options of `run`; of `inbox` they are those of each file's run."""

    report: ReportOptions
    aftermath: AftermathOptions
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOptions:
    """The options of `resume`. An empty `run` means the latest one."""

    given: GivenSettings
    user: UserOptions
    report: ReportOptions
    aftermath: AftermathOptions
    until: float | None
    state_dir: Path
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunOptions(ResumeOptions):
    """The options of `rerun`; `earlier` is a run's id or a report."""

    server: ServerOptions
    earlier: str


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """The options of `inbox`: those of each file's run, and of the runs that are taken up again."""

    run: RunOptions
    resume: ResumeOptions
    folder: Path
    settle: float


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """The options of `check`, `login` and `logout`. Without `check` a new password is not tried."""

    given: GivenSettings
    server: ServerOptions
    user: UserOptions
    campaign: str | None = None
    check: bool = True


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The options of `ui`: the settings of its runs, the server, and whether a browser is opened."""

    given: GivenSettings
    server: ServerOptions
    user: UserOptions
    state_dir: Path
    browser: bool


@dataclass(frozen=True, slots=True)
class AgainOptions:
    """The options of `report`, which writes an earlier run's report again. Without `run` it is the latest."""

    run: str | None
    form: str | None
    output: Path | None
    csv_for: str
    overwrite: bool
    state_dir: Path


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The options of `simulate`."""

    port: int
    campaigns: tuple[str, ...]
    numbers: str | None
    additional_column: str
    busy_share: float
    busy_seconds: float
    duplicate_share: float
    forms: tuple[str, ...]
    absent_share: float
    faults: tuple[str, ...]
    rate_limit: float
    latency: float
    seed: int
    forbid: tuple[str, ...]
    audit: str | None


def take(kind: type[T], given: Mapping[str, Any], *not_of_profile: str) -> T:
    """Return a command's options, with the groups of options in them, out of what click read.

    What a profile says of `not_of_profile` does not count: it was not meant for an earlier run.
    """
    ctx = click.get_current_context()
    left_out = [name for name in not_of_profile if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP]
    return cast("T", _taken(kind, {**given, **dict.fromkeys(left_out)}))


def _taken(kind: Any, given: Mapping[str, Any]) -> Any:
    if kind is GivenSettings:
        return GivenSettings.of(given)
    groups = {each.name: each.type for each in fields(kind) if is_dataclass(each.type)}
    taken = {each.name: given[each.name] for each in fields(kind) if each.name in given}
    return kind(**{**taken, **{name: _taken(group, given) for name, group in groups.items()}})


_COMMAND_TIMEOUT_S = 60.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_password(environment: Mapping[str, str], password_env: str, password_file: str, password_command: str) -> str:
    """Return the password from the first source that is set, or an empty text when none is.

    BULK_REMOVE_PASSWORD comes first, then the variable that `password_env` names. A file or a command gives its first
    line, in UTF-8; a command is run without a shell. Raises UsageError when a source fails or gives nothing, without
    what it printed, or when others than its owner can read the file.
    """
    if password := environment.get("BULK_REMOVE_PASSWORD", ""):
        return password
    if password_env:
        return _of_variable(environment, password_env)
    if password_file:
        return _of_file(password_file)
    if password_command:
        return _of_command(password_command)
    return ""


def _of_variable(environment: Mapping[str, str], name: str) -> str:
    # What was given is not repeated: it may be the password itself, put there by mistake.
    if not _VARIABLE.fullmatch(name):
        raise UsageError(
            "--password-env is not the name of an environment variable.", "Give the name alone, as ACME_PASSWORD."
        )
    if not environment.get(name):
        raise UsageError(
            "The environment variable that --password-env names is not set.", "Set it, or name the right one."
        )
    return environment[name]


def _of_file(path: str) -> str:
    hint = "Give one with --password-file; its first line is the password."
    try:
        with Path(path).open("rb") as file:
            _check_readers(path, os.fstat(file.fileno()))
            password = _first_line(file.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else phrase("it is not UTF-8 text")
        raise UsageError(
            phrase("The password file {path} cannot be read: {reason}.", path=path, reason=reason), hint
        ) from None
    if not password:
        raise UsageError(phrase("The first line of the password file {path} is empty.", path=path), hint)
    return password


def _check_readers(path: str, facts: os.stat_result) -> None:
    """Refuse a file that is not its owner's alone; one that belongs to root may be handed to a group.

    PostgreSQL's rule for its server's key. A pipe or a terminal has no readers to worry about.
    """
    if os.name != "posix" or not stat.S_ISREG(facts.st_mode):
        return
    allowed = 0o740 if facts.st_uid == 0 and os.geteuid() != 0 else 0o700
    if stat.S_IMODE(facts.st_mode) & ~allowed & 0o777:
        raise UsageError(
            phrase(
                "The password file {path} is open to others: its mode is {mode:o}.",
                path=path,
                mode=stat.S_IMODE(facts.st_mode),
            ),
            phrase("Make it private: chmod 600 {path}", path=path),
        )


def _of_command(command: str) -> str:
    import shlex  # noqa: PLC0415 - --help answers at once
    import subprocess  # noqa: PLC0415 - likewise

    hint = "Try it by itself: it must print the password on its first line, in UTF-8, and exit 0."
    try:
        words = shlex.split(command, posix=os.name == "posix")
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
        password = _first_line(done.stdout)
    except UnicodeDecodeError:
        raise UsageError("The password command printed what is not UTF-8 text.", hint) from None
    except (OSError, ValueError, IndexError):
        raise UsageError("The password command cannot be run.", hint) from None
    except subprocess.SubprocessError:
        raise UsageError("The password command failed.", hint) from None
    if not password:
        raise UsageError("The password command printed no password.", hint)
    return password


def _first_line(contents: bytes) -> str:
    # Windows editors put a byte order mark in front, and end lines with CR LF.
    return contents.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")


_ELSEWHERE = phrase("use --password-file, --password-command or BULK_REMOVE_PASSWORD.")


def stored_password(server: str, user: str) -> str:
    """Return the password that `store_password` kept; empty when there is none, or no keyring to hold one.

    Raises UsageError when there is a keyring that cannot be asked, as one that is locked.
    """
    with _keyring(needed=False) as keyring:
        if keyring is None:
            return ""
        try:
            return keyring.get_password(_service(server), user) or ""
        except keyring.errors.NoKeyringError:
            return ""


def check_keyring() -> None:
    """Raise UsageError where no password could be stored, before one is asked for."""
    with _keyring():
        pass


def store_password(server: str, user: str, password: str) -> str:
    """Keep a password, and read it back; returns the name of the keyring. Raises UsageError when it is not kept."""
    with _keyring() as keyring:
        keyring.set_password(_service(server), user, password)
        kept = keyring.get_password(_service(server), user) == password
        name = str(keyring.get_keyring().name)
    if not kept:
        raise UsageError(
            phrase("The keyring ({name}) did not keep the password.", name=name),
            phrase("Choose another one, or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    return name


def forget_password(server: str, user: str) -> bool:
    """Delete a password; False when there was none. Raises UsageError when it may still be there."""
    with _keyring() as keyring:
        if keyring.get_password(_service(server), user) is None:
            return False
        keyring.delete_password(_service(server), user)
    return True


def _service(server: str) -> str:
    return f"bulk-remove {server}"


@contextmanager
def _keyring(*, needed: bool = True) -> Iterator[Any]:
    """Give the keyring's module, None where it is not installed and not `needed`. What it raises is a UsageError."""
    module: Any = None
    failures: tuple[type[Exception], ...] = (OSError, RuntimeError)
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        import keyring.errors  # noqa: PLC0415 - likewise

        keyring.get_keyring()  # chooses the backend, which may not be there
        module, failures = keyring, (*failures, keyring.errors.KeyringError)
    except (ImportError, AttributeError, ValueError, RuntimeError, OSError) as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != "keyring":
            raise _unusable(error) from None
    if module is None and needed:
        raise UsageError(
            "The system keyring needs the package keyring, which is not installed.",
            phrase("Install it with pip install 'bulk-remove[keyring]', or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    try:
        yield module
    except failures as error:
        raise _unusable(error) from None


def _unusable(error: Exception) -> UsageError:
    # Its kind alone: what a backend says may hold what it was given.
    return UsageError(
        phrase("The system keyring cannot be used ({kind}).", kind=type(error).__name__),
        phrase("Unlock it or install one, or {elsewhere}", elsewhere=_ELSEWHERE),
    )


SOURCES = ("password_env", "password_file", "password_command")


def password_variable() -> str:
    """Return BULK_REMOVE_PASSWORD, empty where it is not set, or does not count because another source was typed."""
    ctx = click.get_current_context()
    typed = any(ctx.get_parameter_source(source) is ParameterSource.COMMANDLINE for source in SOURCES)
    return "" if typed else str(ctx.meta.get(PASSWORD, ""))


def server_of(address: Address) -> str:
    """Return the name under which the keyring holds the passwords of a server."""
    return f"{address.host}{address.base_path}"


def _check_whose(address: Address) -> None:
    """Keep a profile's password from every server but the profile's own. Raises UsageError."""
    ctx = click.get_current_context()
    profile = profile_of(ctx)
    own = _server_in(profile)
    place = next(
        (
            profile.entries[source].place
            for source in SOURCES
            if source in profile.entries and ctx.get_parameter_source(source) is ParameterSource.DEFAULT_MAP
        ),
        None,
    )
    if place and own and server_of(own) != server_of(address):
        raise UsageError(
            phrase(
                "{place} is the password of {host}, and is not sent to {other}.",
                place=place,
                host=own.host,
                other=address.host,
            ),
            "Choose that server's profile with --profile, or give its password with --password-file.",
        )


def _server_in(profile: Profile) -> Address | None:
    values = {key: profile.entries[key].value for key in ("system", "url") if key in profile.entries}
    if values.get("system"):
        return Address.of_system(values["system"])
    return Address.parse(values["url"]) if values.get("url") else None
