"""Where runs live on this machine: a folder for each, a lock for each campaign, and what was learned of each host.

All of it is readable by its owner alone.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from platformdirs import user_config_path, user_state_path

from bulk_remove.core.learned import Learned, fresh
from bulk_remove.errors import CampaignLockedError, StorageError

T = TypeVar("T")


def default_state_dir() -> Path:
    """Return the platform's folder for a program's state: `~/.local/state/bulk-remove` on Linux."""
    return user_state_path("bulk-remove", appauthor=False)


def default_config_file() -> Path:
    """Return the platform's place for a program's settings: `~/.config/bulk-remove/config.toml` on Linux."""
    return user_config_path("bulk-remove", appauthor=False) / "config.toml"


def new_run_folder(state_dir: Path, now_s: float) -> Path:
    """Make the folder of a new run; its name is the run's id, which sorts by time. Raises StorageError."""
    stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%d-%H%M%S")
    runs = state_dir / "runs"
    make_private(runs)
    while True:
        folder = runs / f"{stamp}-{token_hex(2)}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # another run of this second drew the same four digits
            continue
        except OSError as error:
            raise _storage_error(folder, error) from None
        return folder


def learned_of(state_dir: Path, host: str, now_s: float) -> Learned:
    """Return what earlier runs learned of a host, as far as it still counts. `now_s` in Unix seconds."""
    try:
        known = json.loads(_host_file(state_dir, host).read_text(encoding="utf-8"))
        learned = Learned(
            _optional(int, known.get("max_request_line")),
            float(known.get("learned_at_s", 0)),
            _optional(float, known.get("requests_per_second")),
            _optional(int, known.get("numbers_per_request")),
            float(known.get("pace_learned_at_s", 0)),
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return Learned()  # what cannot be read was not learned; the server will teach it again
    return fresh(learned, now_s)


def _optional(kind: Callable[[Any], T], value: object) -> T | None:
    return None if value is None else kind(value)


def keep_learned(state_dir: Path, host: str, learned: Learned) -> None:
    """Remember for later runs what was learned of a host. Raises StorageError."""
    path = _host_file(state_dir, host)
    make_private(path.parent)
    aside = path.with_suffix(f".{os.getpid()}.part")  # runs of other campaigns learn at the same time
    known = {
        "max_request_line": learned.longest_line,
        "learned_at_s": learned.line_at_s,
        "requests_per_second": learned.rate,
        "numbers_per_request": learned.numbers,
        "pace_learned_at_s": learned.pace_at_s,
    }
    try:
        aside.write_text(json.dumps(known), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise _storage_error(path.parent, error) from None


def _host_file(state_dir: Path, host: str) -> Path:
    return state_dir / "hosts" / f"{_as_file_name(host)}.json"


def _as_file_name(host: str) -> str:
    return re.sub(r"[^0-9A-Za-z.-]", "_", host)


def account_file(state_dir: Path, host: str, user: str) -> Path:
    """Return where all runs of an API user note their requests to a host; its folder is made. Raises StorageError."""
    folder = state_dir / "accounts"
    make_private(folder)
    # The user's name may hold anything: a digest keeps two of them apart.
    return folder / f"{_as_file_name(host)}-{sha256(user.encode()).hexdigest()[:16]}.json"


def lock_beside(path: Path) -> Callable[[], AbstractContextManager[bool]]:
    """Return what tries the lock of a file, without waiting, and says whether it was free; it may raise OSError."""
    lock = FileLock(path.with_suffix(".lock"), mode=0o600, fallback_to_soft=False, blocking=False)

    @contextmanager
    def tried() -> Iterator[bool]:
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    return tried


def run_folders(state_dir: Path) -> list[Path]:
    """Return the folders of all runs, oldest first."""
    runs = state_dir / "runs"
    return sorted(folder for folder in runs.iterdir() if folder.is_dir()) if runs.is_dir() else []


@contextmanager
def lock_campaigns(state_dir: Path, host: str, campaigns: Iterable[str]) -> Iterator[None]:
    """Hold several campaigns, as `lock_campaign` does one; always in one order. Raises what it does."""
    with ExitStack() as stack:
        for campaign in sorted(campaigns):
            stack.enter_context(lock_campaign(state_dir, host, campaign))
        yield


@contextmanager
def lock_campaign(state_dir: Path, host: str, campaign: str) -> Iterator[None]:
    """Hold the campaign for this process while the context is entered; a process that dies lets it go.

    Raises CampaignLockedError when another run holds it, StorageError when the lock cannot be made.
    """
    folder = state_dir / "locks"
    make_private(folder)
    lock = FileLock(folder / f"{_as_file_name(host)}-{campaign}.lock", mode=0o600, fallback_to_soft=False)
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


def make_private(folder: Path) -> None:
    """Make a folder for its owner alone, if it is not there. Raises StorageError when it cannot be written to."""
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
