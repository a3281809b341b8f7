"""The file with the profiles: read as TOML, and a first one written. What it may hold is the command line's to say."""

import os
import stat
from pathlib import Path
from typing import Any

from bulk_remove.disk import NotOwnError, check_own, private
from bulk_remove.errors import UsageError
from bulk_remove.language import ours, phrase


def read_config(path: Path) -> dict[str, Any] | None:
    """Return what the file says, or None when there is no such file. Raises UsageError when it cannot be used."""
    import tomllib  # noqa: PLC0415 - only where there may be a file: --help needs none

    try:
        with path.open("rb") as file:
            _check_writers(path, os.fstat(file.fileno()))
            return tomllib.loads(file.read().decode("utf-8-sig"))  # Windows editors put a byte order mark in front
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            phrase("{path} cannot be read: {problem}.", path=path, problem=error.strerror),
            "Check it, or name another file with --config.",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(phrase("{path} is not UTF-8 text.", path=path), "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            phrase("{path} is not TOML: {problem}.", path=path, problem=error),
            'Mend that line. Text stands in quotes, a campaign too: campaign = "00001".',
        ) from None


def _check_writers(path: Path, facts: os.stat_result) -> None:
    # Whoever writes it chooses the server, and the command that is run for the password. Root may write everywhere.
    if not stat.S_ISREG(facts.st_mode):
        return
    try:
        check_own(path, facts, roots=True)
    except NotOwnError as error:
        raise UsageError(
            phrase("{path} is not used: {problem}.", path=path, problem=ours(str(error.strerror))), error.hint
        ) from None


def write_config(path: Path, text: str) -> None:
    """Write a new file for its owner alone. Raises UsageError when there is one already, or it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "x", encoding="utf-8", newline="\n", opener=private) as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            phrase("{path} is there already.", path=path), "Edit it, or name another place with --config."
        ) from None
    except OSError as error:
        raise UsageError(
            phrase("{path} cannot be written: {problem}.", path=path, problem=error.strerror),
            "Name another place with --config.",
        ) from None
