"""Where the password comes from: the environment, a file, or a command. Never the command line."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bulk_remove.errors import UsageError

_COMMAND_TIMEOUT_S = 60.0


def read_password(environment: Mapping[str, str], password_file: str, password_command: str) -> str:
    """Return the password from the first source that is set, or an empty text.

    A file or a command gives its first line; a command is run without a shell. Raises UsageError when it fails,
    without what it printed.
    """
    if password := environment.get("BULK_REMOVE_PASSWORD", ""):
        return password
    if password_file:
        return _first_line(_of_file(password_file))
    if password_command:
        return _first_line(_of_command(password_command))
    return ""


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].rstrip("\r")


def _of_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"The password file {path} cannot be read: {reason}.", "Give one with --password-file."
        ) from None


def _of_command(command: str) -> str:
    hint = "Try it by itself: it must print the password on its first line and exit 0."
    try:
        words = shlex.split(command, posix=os.name == "posix")
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, ValueError, IndexError):
        raise UsageError("The password command cannot be run.", hint) from None
    except subprocess.SubprocessError:
        raise UsageError("The password command failed.", hint) from None
    return done.stdout.decode("utf-8", errors="replace")
