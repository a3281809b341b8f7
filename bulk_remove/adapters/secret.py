"""Where the password comes from: the environment, a file, or a command. Never the command line."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bulk_remove.errors import UsageError

_COMMAND_TIMEOUT_S = 60.0


def read_password(environment: Mapping[str, str], password_file: str, password_command: str) -> str:
    """Return the password from the first source that is set, or an empty text when none is.

    A file or a command gives its first line, in UTF-8; a command is run without a shell. Raises UsageError when it
    fails or gives nothing, without what it printed.
    """
    if password := environment.get("BULK_REMOVE_PASSWORD", ""):
        return password
    if password_file:
        return _of_file(password_file)
    if password_command:
        return _of_command(password_command)
    return ""


def _of_file(path: str) -> str:
    hint = "Give one with --password-file; its first line is the password."
    try:
        password = _first_line(Path(path).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"The password file {path} cannot be read: {reason}.", hint) from None
    if not password:
        raise UsageError(f"The first line of the password file {path} is empty.", hint)
    return password


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
