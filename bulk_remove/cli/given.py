"""What the options amount to: settings, changes to a run's, the address, the state folder, and the login.

The password comes from the nearest of its sources: the environment, a private file, a command or the system's keyring,
never the command line. The keyring is an optional extra and is loaded only where it is needed. A password in it stands
under its server's name, so that it is never offered to another one.
"""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bulk_remove.cli.profiles import PASSWORD, Profile, profile_of
from bulk_remove.core.forms import parse_also_try
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase
from bulk_remove.run.folders import default_state_dir, join, leave
from bulk_remove.settings import Address, Login, Settings


def settings_from(options: dict[str, Any]) -> Settings:
    """Build the settings out of whichever options a command has. Raises UsageError."""
    own = {name: options[name] for name in Settings.__dataclass_fields__ if name in options}
    own |= {name: convert(options[name]) for name, convert in _CONVERTED.items() if name in options}
    own |= {f"{name}_s": options[name] for name in _DURATIONS if name in options}
    return Settings(**own)


def _delimiter(value: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(value, value) if value else None


# How the text of an option becomes a setting, where the setting does not take the text.
_CONVERTED: dict[str, Callable[[str], Any]] = {"also_try": parse_also_try, "delimiter": _delimiter}
_DURATIONS = tuple(name.removesuffix("_s") for name in Settings.__dataclass_fields__ if name.endswith("_s"))


def changes_from(options: dict[str, Any], *, typed_only: bool) -> dict[str, Any]:
    """Return the settings that were given, by name, for a command whose settings are those of an earlier run.

    With `typed_only` what the environment says does not count: it was not meant for that run. But numbers that must
    never be removed count wherever they are named.
    """
    names = {**{name: f"{name}_s" for name in _DURATIONS}, **{name: name for name in Settings.__dataclass_fields__}}
    given = {
        setting: options[name]
        for name, setting in names.items()
        if options.get(name) not in (None, "", ()) and (not typed_only or name == "keep" or _was_typed(name))
    }
    return given | {name: convert(given[name]) for name, convert in _CONVERTED.items() if name in given}


def _was_typed(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def address_from(options: dict[str, Any]) -> Address:
    """Return the server's address. Raises UsageError."""
    url, system = options["url"], options["system"]
    if url and system:
        raise UsageError("Both --url and --system are given.", "Give one of them.")
    if system:
        return Address.of_system(system)
    if not url:
        raise UsageError(
            "No server is given.", "Set --url, --system or BULK_REMOVE_URL, or use a profile: bulk-remove config."
        )
    return Address.parse(url)


def state_dir_from(options: dict[str, Any]) -> Path:
    """Return the folder for the state of all runs, shared with other hosts where --state is given.

    Raises UsageError, UnavailableError.
    """
    state_dir: Path = options["state_dir"] or default_state_dir()
    if options.get("state"):
        if _was_typed("state") and re.search("//[^/@]*:[^/@]*@|[?&]password=", options["state"]):
            raise UsageError(
                "The password of --state would be shown to everybody on this machine.",
                "Put the address into BULK_REMOVE_STATE or a profile, or the password into PGPASSWORD.",
            )
        join(state_dir, options["state"])
        click.get_current_context().call_on_close(partial(leave, state_dir))
    return state_dir


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


if TYPE_CHECKING:
    from types import ModuleType

_ELSEWHERE = phrase("use --password-file, --password-command or BULK_REMOVE_PASSWORD.")


def stored_password(server: str, user: str) -> str:
    """Return the password that `store_password` kept; empty when there is none, or no keyring to hold one.

    Raises UsageError when there is a keyring that cannot be asked, as one that is locked.
    """
    keyring = _loaded()
    if keyring is None:
        return ""
    try:
        return keyring.get_password(_service(server), user) or ""
    except keyring.errors.NoKeyringError:
        return ""
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None


def check_keyring() -> None:
    """Raise UsageError where no password could be stored, before one is asked for."""
    _needed()


def store_password(server: str, user: str, password: str) -> str:
    """Keep a password, and read it back; returns the name of the keyring. Raises UsageError when it is not kept."""
    keyring = _needed()
    try:
        keyring.set_password(_service(server), user, password)
        kept = keyring.get_password(_service(server), user) == password
        name = str(keyring.get_keyring().name)
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None
    if not kept:
        raise UsageError(
            phrase("The keyring ({name}) did not keep the password.", name=name),
            phrase("Choose another one, or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    return name


def forget_password(server: str, user: str) -> bool:
    """Delete a password; False when there was none. Raises UsageError when it may still be there."""
    keyring = _needed()
    try:
        if keyring.get_password(_service(server), user) is None:
            return False
        keyring.delete_password(_service(server), user)
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None
    return True


def _service(server: str) -> str:
    return f"bulk-remove {server}"


def _loaded() -> "ModuleType | None":
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        import keyring.errors  # noqa: PLC0415 - likewise

        keyring.get_keyring()  # chooses the backend, which may not be there
    except ModuleNotFoundError as error:
        if error.name == "keyring":
            return None
        raise _unusable(error) from None
    except (ImportError, AttributeError, ValueError, RuntimeError, OSError) as error:
        raise _unusable(error) from None
    return keyring


def _needed() -> "ModuleType":
    keyring = _loaded()
    if keyring is None:
        raise UsageError(
            "The system keyring needs the package keyring, which is not installed.",
            phrase("Install it with pip install 'bulk-remove[keyring]', or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    return keyring


def _unusable(error: Exception) -> UsageError:
    # Its kind alone: what a backend says may hold what it was given.
    return UsageError(
        phrase("The system keyring cannot be used ({kind}).", kind=type(error).__name__),
        phrase("Unlock it or install one, or {elsewhere}", elsewhere=_ELSEWHERE),
    )


SOURCES = ("password_env", "password_file", "password_command")


def login_from(options: dict[str, Any], address: Address) -> Login:
    """Return the API user with its password for a server. Raises UsageError."""
    return Login(options["user"] or "", password_for(options, address))


def password_for(options: dict[str, Any], address: Address) -> str:
    """Return the user's password for a server, empty where there is none. Raises UsageError.

    A source that was typed comes before BULK_REMOVE_PASSWORD, and that before one of the profile. Without any of them
    the system's keyring is asked.
    """
    user = options["user"] or ""
    environment = {**os.environ, PASSWORD: password_variable()}
    if not environment[PASSWORD]:
        _check_whose(address)
    password = read_password(environment, *(options[source] for source in SOURCES))
    if not password and user:
        password = stored_password(server_of(address), user)
    return password


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
