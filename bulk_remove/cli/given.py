"""The options of each command as a typed value, the settings among them, and the login.

The password comes from the environment, a private file, a command or the system's keyring, never from the command line.
The keyring is an optional extra and is loaded only when needed. It stores a password under its server's name, so that
no other server gets it.
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

from bulk_remove.cli.profiles import PASSWORD, SOURCES, Profile, profile_of
from bulk_remove.core.model import ReportFormat
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase
from bulk_remove.settings import SETTINGS, Address, Later, Login, Settings

if TYPE_CHECKING:
    from bulk_remove.reader import SetAside
    from bulk_remove.run.saved import SavedPlan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """Unchecked settings from the options, by field.

    `typed` are the fields given on the command line, `chosen` those given there, in a variable or in the profile.
    """

    values: Mapping[str, Any]
    typed: frozenset[str]
    chosen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return the settings among a command's options."""
        ctx = click.get_current_context()
        named = {name: each.option for name, each in SETTINGS.items() if each.option in given}
        sources = {name: ctx.get_parameter_source(option) for name, option in named.items()}
        return cls(
            {name: given[option] for name, option in named.items()},
            frozenset(name for name, source in sources.items() if source is ParameterSource.COMMANDLINE),
            frozenset(name for name, source in sources.items() if source is not ParameterSource.DEFAULT),
        )

    def of_plan(self, saved: "SavedPlan") -> Settings:
        """Return the settings of a saved plan. Raises UsageError if a given value contradicts it."""
        return saved.with_connection({name: _read(name, value) for name, value in self.values.items()}, self.chosen)

    def settings(self, **others: str | None) -> Settings:
        """Return the checked settings; `others` are values that the command itself sets. Raises UsageError."""
        return Settings(**{name: _read(name, value) for name, value in {**self.values, **others}.items()})

    def changes(self, later: Later, *, typed_only: bool) -> dict[str, Any]:
        """Return the changes to an earlier run's settings, only of those that may change. Raises UsageError.

        With `typed_only` variables and profiles do not count, because they were not meant for that run. Keep lists
        always count, for safety.
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
    """The server, given by its address or by its system's name."""

    url: str | None = None
    system: str | None = None

    @property
    def named(self) -> bool:
        """Whether a server is given."""
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
    """The API user and the sources of its password."""

    user: str | None
    password_env: str = ""
    password_file: str = ""
    password_command: str = ""

    def login(self, address: Address, earlier_user: str = "") -> Login:
        """Return the user, or else `earlier_user`, with the password for a server. Raises UsageError."""
        user = self.user or earlier_user
        return Login(user, replace(self, user=user).password(address))

    def password(self, address: Address) -> str:
        """Return the user's password for a server, or an empty text. Raises UsageError.

        The order is: a source on the command line, BULK_REMOVE_PASSWORD, a source in the profile, the system's keyring.
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
    """The report's place and formats; `yes` agrees to the removal in advance."""

    yes: bool
    also: tuple[ReportFormat, ...] | None
    csv_for: str | None
    output: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class AftermathOptions:
    """The options for log, metrics and notifications; server and campaign are reported if no run began."""

    log_format: str
    quiet: bool
    metrics_file: Path | None
    notify: tuple[str, ...]
    notify_on: str
    server: ServerOptions
    campaign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccess:
    """Settings, server and API user, as `check`, `login` and `logout` have them."""

    given: GivenSettings
    server: ServerOptions
    user: UserOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions(ServerAccess):
    """Also the state folder, as `plan`, `run`, `inbox`, `setup` and `ui` have it."""

    state_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions(AccessOptions):
    """The options of `plan`, which `run` has as well. `copy` is the inbox's private copy of a file."""

    show_numbers: bool
    files: tuple[str, ...] = ()
    copy: "SetAside | None" = None
    as_json: bool = False
    save: Path | None = None
    look: bool = False
    look_csv: Path | None = None
    look_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(PlanOptions):
    """The options of `run`, or of the run of each file in an inbox. `plan_file` is a saved plan."""

    report: ReportOptions
    aftermath: AftermathOptions
    until: float | None
    plan_file: Path | None = None
    plan_max_age: float = 0.0
    backup: Path | None = None


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


def take(kind: type[T], given: Mapping[str, Any], *not_of_profile: str) -> T:
    """Return a command's options as a value of `kind`, from click's values.

    A profile's values for `not_of_profile` are ignored, because they are not meant for an earlier run.
    """
    ctx = click.get_current_context()
    left_out = [name for name in not_of_profile if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP]
    given = {**given, **dict.fromkeys(left_out)}
    if kind is GivenSettings:
        return cast("T", GivenSettings.of(given))
    groups: dict[str, Any] = {each.name: each.type for each in fields(cast("Any", kind)) if is_dataclass(each.type)}
    taken = {each.name: given[each.name] for each in fields(cast("Any", kind)) if each.name in given}
    return kind(**{**taken, **{name: take(group, given) for name, group in groups.items()}})


_COMMAND_TIMEOUT_S = 60.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_password(environment: Mapping[str, str], password_env: str, password_file: str, password_command: str) -> str:
    """Return the password from the first source that is set, or an empty text when none is.

    The order is: BULK_REMOVE_PASSWORD, the variable `password_env`, the file, the command. The password is the first
    line of the file or of the command's output, in UTF-8; no shell is used. Raises UsageError when a source fails or is
    empty, or when others can read the file. The error does not contain the output.
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
    # The errors do not repeat the name: it may be the password itself, given by mistake.
    if not _VARIABLE.fullmatch(name):
        raise UsageError(
            "--password-env is not the name of an environment variable.", "Give only the name, such as ACME_PASSWORD."
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
    """Refuse a file that others can read; a file of root may be readable by a group.

    This is PostgreSQL's rule for its server key. Pipes and terminals are not checked.
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
        if os.name != "posix":  # backslashes stay, but so do the quotes around a path with blanks
            words = [word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word for word in words]
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
        password = _first_line(done.stdout)
    except UnicodeDecodeError:
        raise UsageError("The output of the password command is not UTF-8 text.", hint) from None
    except (OSError, ValueError, IndexError):
        raise UsageError("The password command cannot be run.", hint) from None
    except subprocess.SubprocessError:
        raise UsageError("The password command failed.", hint) from None
    if not password:
        raise UsageError("The password command printed no password.", hint)
    return password


def _first_line(contents: bytes) -> str:
    # Windows editors begin a file with a byte order mark and end lines with CR LF.
    return contents.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")


_ELSEWHERE = phrase("use --password-file, --password-command or BULK_REMOVE_PASSWORD.")


def stored_password(server: str, user: str) -> str:
    """Return a stored password; empty when there is no password or no keyring.

    Raises UsageError when the keyring fails, for example because it is locked.
    """
    with _keyring(needed=False) as keyring:
        if keyring is None:
            return ""
        try:
            return keyring.get_password(_service(server), user) or ""
        except keyring.errors.NoKeyringError:
            return ""


def check_keyring() -> None:
    """Raise UsageError when no keyring can store a password."""
    with _keyring():
        pass


def store_password(server: str, user: str, password: str) -> str:
    """Store a password and return the keyring's name. Raises UsageError when it cannot be read back."""
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
    """Delete a password; return False when there was none. Raises UsageError when the deletion fails."""
    with _keyring() as keyring:
        if keyring.get_password(_service(server), user) is None:
            return False
        keyring.delete_password(_service(server), user)
    return True


def _service(server: str) -> str:
    return f"bulk-remove {server}"


@contextmanager
def _keyring(*, needed: bool = True) -> Iterator[Any]:
    """Give the keyring module, or None if it is not installed and not `needed`. Turns its errors into UsageError."""
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        import keyring.errors  # noqa: PLC0415 - likewise

        keyring.get_keyring()  # chooses the backend, which may be missing
    except (ImportError, AttributeError, ValueError, RuntimeError, OSError) as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != "keyring":
            raise _unusable(error) from None
        if needed:
            raise UsageError(
                "The system keyring needs the package keyring, which is not installed.",
                phrase("Install it with pip install 'bulk-remove[keyring]', or {elsewhere}", elsewhere=_ELSEWHERE),
            ) from None
        yield None
        return
    try:
        yield keyring
    except (OSError, RuntimeError, keyring.errors.KeyringError) as error:
        raise _unusable(error) from None


def _unusable(error: Exception) -> UsageError:
    # Only the error's type: a backend's message may contain the password.
    return UsageError(
        phrase("The system keyring cannot be used ({kind}).", kind=type(error).__name__),
        phrase("Unlock it or install one, or {elsewhere}", elsewhere=_ELSEWHERE),
    )


def password_variable() -> str:
    """Return BULK_REMOVE_PASSWORD; empty if it is not set, or if another source was typed."""
    ctx = click.get_current_context()
    typed = any(ctx.get_parameter_source(source) is ParameterSource.COMMANDLINE for source in SOURCES)
    return "" if typed else str(ctx.meta.get(PASSWORD, ""))


def server_of(address: Address) -> str:
    """Return the keyring's name for a server."""
    return f"{address.host}{address.base_path}"


def _check_whose(address: Address) -> None:
    """Raise UsageError if a profile's password would go to another server than the profile's own."""
    ctx = click.get_current_context()
    profile = profile_of(ctx)
    own = server_in(profile)
    place = next(
        (
            profile.entries[source]
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


def server_in(profile: Profile) -> Address | None:
    """Return the server of a profile. Raises UsageError."""
    values = {key: profile.entries[key].value for key in ("system", "url") if key in profile.entries}
    if values.get("system"):
        return Address.of_system(values["system"])
    return Address.parse(values["url"]) if values.get("url") else None
