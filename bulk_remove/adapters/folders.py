"""Where runs live on this machine: one folder each, readable by its owner alone, and a lock per campaign."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from bulk_remove.errors import CampaignLockedError, StorageError


def default_state_dir() -> Path:
    """Return the platform's folder for a program's state: `~/.local/state/bulk-remove` on Linux."""
    return user_state_path("bulk-remove", appauthor=False)


def new_run_folder(state_dir: Path, now_s: float) -> Path:
    """Make the folder of a new run; its name is the run's id, which sorts by time. Raises StorageError."""
    stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%d-%H%M%S")
    runs = state_dir / "runs"
    _make(runs)
    while True:
        folder = runs / f"{stamp}-{token_hex(2)}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # another run of this second drew the same four digits
            continue
        except OSError as error:
            raise _storage_error(folder, error) from None
        return folder


def run_folders(state_dir: Path) -> list[Path]:
    """Return the folders of all runs, oldest first."""
    runs = state_dir / "runs"
    return sorted(folder for folder in runs.iterdir() if folder.is_dir()) if runs.is_dir() else []


@contextmanager
def lock_campaign(state_dir: Path, host: str, campaign: str) -> Iterator[None]:
    """Hold the campaign for this process while the context is entered; a process that dies lets it go.

    Raises CampaignLockedError when another run holds it, StorageError when the lock cannot be made.
    """
    folder = state_dir / "locks"
    _make(folder)
    lock = FileLock(folder / f"{re.sub(r'[^0-9A-Za-z.-]', '_', host)}-{campaign}.lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CampaignLockedError(
            f"Another run on this machine holds campaign {campaign}.", "Wait for it to end, then run again."
        ) from None
    except OSError as error:
        raise _storage_error(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise _storage_error(folder, error) from None


def _storage_error(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The folder {folder} cannot be used: {error.strerror}.", "Choose another one with --state-dir."
    )
