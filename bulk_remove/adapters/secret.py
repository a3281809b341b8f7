"""Where the password comes from: the environment, a file that is private, or a command. Never the command line."""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

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
