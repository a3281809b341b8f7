"""Where runs live on this machine: a folder for each, a lock for each campaign, and what was learned of each host.

All of it is readable by its owner alone.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from platformdirs import user_config_path, user_state_path

from bulk_remove.core.throttle import Learned, fresh
from bulk_remove.disk import NotOwnError, check_own, make_new, private, written
from bulk_remove.disk import make_private as make_folders
from bulk_remove.errors import CampaignLockedError, RunLockedError, StorageError, UsageError
from bulk_remove.language import ours, phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bulk_remove.ledger import Store
    from bulk_remove.ledger.shared import Shared, SharedAccount
    from bulk_remove.sending.gate import AccountCeiling

log = logging.getLogger("bulk_remove.run")
T = TypeVar("T")
RUN_LOCK = "run.lock"
LEDGER_FILE = "ledger.sqlite"
_SHARED = "shared.json"
_REPORTS = "reports.jsonl"
_JOINED: dict[Path, Shared] = {}
_LOOKED_AT_S = 1.0
"""So long a run's lock is waited for: `runs` holds it for a moment to see whether the run is under way."""


def default_state_dir() -> Path:
    """Return the platform's folder for a program's state: `~/.local/state/bulk-remove` on Linux."""
    return user_state_path("bulk-remove", appauthor=False)


def default_config_file() -> Path:
    """Return the platform's place for a program's settings: `~/.config/bulk-remove/config.toml` on Linux."""
    return user_config_path("bulk-remove", appauthor=False) / "config.toml"


_PARTS_OF_A_SECOND = 0x10000
"""As fine as four hexadecimal digits tell."""


def join(state_dir: Path, url: str) -> None:
    """Share the runs of a state folder with other hosts by way of a database. Raises UsageError, UnavailableError."""
    try:
        from bulk_remove.ledger.shared import Shared  # noqa: PLC0415 - a run that is not shared does not pay for it
    except ImportError:
        raise UsageError(
            "--state needs a library that is not installed.", "Install it: pip install 'bulk-remove[postgres]'"
        ) from None
    if state_dir not in _JOINED:
        _JOINED[state_dir] = Shared(url)


def leave(state_dir: Path) -> None:
    """Share them no more."""
    if (shared := _JOINED.pop(state_dir, None)) is not None:
        shared.close()


def shared_of(state_dir: Path) -> Shared | None:
    """Return what the runs of a state folder share with other hosts; None where they do not."""
    return _JOINED.get(state_dir)


def new_run_folder(state_dir: Path, now_s: float) -> Path:
    """Make the folder of a new run; its name is the run's id, which sorts by time. Raises StorageError.

    Its last four digits are the part of the second, so that also runs of one second sort by time.
    """
    runs = make_private(state_dir, "runs")
    moment = round(now_s * _PARTS_OF_A_SECOND)
    while True:
        second, part = divmod(moment, _PARTS_OF_A_SECOND)
        folder = runs / f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}-{part:04x}"
        try:
            if make_new(folder):
                return folder
        except OSError as error:
            raise _storage_error(folder, error) from None
        moment += 1  # another run began in the same moment


def learned_of(state_dir: Path, host: str, now_s: float) -> Learned:
    """Return what earlier runs learned of a host, as far as it still counts. `now_s` in Unix seconds."""
    try:
        shared = shared_of(state_dir)
        known = json.loads(shared.learned(host) if shared else _host_file(state_dir, host).read_text(encoding="utf-8"))
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
    make_private(state_dir, path.parent.name)
    known = {
        "max_request_line": learned.longest_line,
        "learned_at_s": learned.line_at_s,
        "requests_per_second": learned.rate,
        "numbers_per_request": learned.numbers,
        "pace_learned_at_s": learned.pace_at_s,
    }
    if (shared := shared_of(state_dir)) is not None:
        shared.keep_learned(host, json.dumps(known))
    try:
        with written(path) as aside:
            aside.file.write(json.dumps(known).encode())
    except OSError as error:
        raise _storage_error(path.parent, error) from None


def _host_file(state_dir: Path, host: str) -> Path:
    return state_dir / "hosts" / f"{_as_file_name(host)}.json"


def _as_file_name(host: str) -> str:
    return re.sub(r"[^0-9A-Za-z.-]", "_", host)


def begun_s(folder: Path) -> float:
    """Return when a run was begun, by its id (Unix seconds); of a folder that has another name, its own time."""
    try:
        return datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return folder.stat().st_mtime


def note_report(folder: Path, report: Path) -> None:
    """Remember in a run's folder where its report goes, before it is written: `prune` tells what it leaves.

    Raises StorageError.
    """
    line = json.dumps(str(report.absolute()))
    try:
        with open(folder / _REPORTS, "a", encoding="utf-8", opener=private) as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise _storage_error(folder, error) from None


class NotedReports(NamedTuple):
    """Where the reports of a run went, the latest last, whether they are there still or not.

    `whole` is False where some of it cannot be read any more. Of a run that was killed the last line may be cut short:
    then its report was not begun, and it is whole all the same.
    """

    paths: tuple[Path, ...]
    whole: bool


def noted_reports(folder: Path) -> NotedReports:
    """Return where the reports of a run went. Raises StorageError."""
    try:
        *lines, last = (folder / _REPORTS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return NotedReports((), whole=True)
    except OSError as error:
        raise _storage_error(folder, error) from None
    noted = [_noted(line) for line in lines]
    cut_short = not last or last.startswith(b'"')
    paths = dict.fromkeys(path for path in reversed(noted) if path is not None)
    return NotedReports(tuple(reversed(paths)), whole=None not in noted and cut_short)


def _noted(line: bytes) -> Path | None:
    """Return the path in a line, None where it holds none."""
    try:
        path = json.loads(line)
    except ValueError:
        return None
    return Path(path) if isinstance(path, str) and "\0" not in path else None


class Mark(StrEnum):
    """What is remembered of a run by an empty file in its folder, whatever becomes of its report.

    CONCLUDED: its file has left the inbox, or an inbox has nothing more to do about it. ABANDONED: it is never taken
    up again.
    """

    CONCLUDED = "concluded"
    ABANDONED = "abandoned"


def mark(folder: Path, as_what: Mark) -> None:
    """Mark a run. Raises StorageError."""
    try:
        with open(folder / as_what.value, "ab", opener=private) as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise _storage_error(folder, error) from None
    if shared := shared_of(folder.parents[1]):
        shared.mark(folder.name, as_what.value)


def is_marked(folder: Path, as_what: Mark) -> bool:
    """Tell whether a run was marked so."""
    return (folder / as_what.value).exists()


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process while the context is entered; a process that dies lets it go.

    It may be left in another thread than it was entered in. The ledger of a run that hosts share is as they all know it
    then. Raises RunLockedError when another process or host holds it, StorageError when the lock cannot be made,
    UsageError for a run that is shared with others and now is not.
    """
    shared, at = shared_of(folder.parents[1]), _shared_at(folder)
    if at is not None and (shared is None or at.database not in {"", shared.database}):
        raise UsageError(
            phrase("Run {name} is shared with other hosts.", name=folder.name), "Give --state as it was given before."
        )
    if shared is None:
        with _lock_here(folder):
            yield
        return

    def taken(holder: str) -> RunLockedError:
        return RunLockedError(
            phrase("Run {name} is under way on {holder}.", name=folder.name, holder=holder),
            "Wait for it to end, then try again.",
        )

    with _lock_here(folder), shared.lease([f"run:{folder.name}"], taken):
        if (known := shared.runs().get(folder.name)) is not None:
            _bring(shared, folder, known[0])
        yield
        if shipped := shared.lengths.pop(folder.name, 0):
            _keep_at(shared, folder, shipped)


@contextmanager
def _lock_here(folder: Path, wait_s: float = _LOOKED_AT_S) -> Iterator[None]:
    lock = FileLock(folder / RUN_LOCK, mode=0o600, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise RunLockedError(
            phrase("Run {name} is under way.", name=folder.name), "Wait for it to end, then try again."
        ) from None
    except OSError as error:
        raise _storage_error(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def under_way(folder: Path) -> bool:
    """Tell whether another process or host works on a run."""
    shared = shared_of(folder.parents[1])
    try:
        with _lock_here(folder):
            return shared is not None and f"run:{folder.name}" in shared.busy
    except RunLockedError:
        return True


class _At(NamedTuple):
    """Which database shares a run, and how much of the log there is in its ledger here.

    0: that is not known any more; -1: the log may not be there yet.
    """

    database: str
    length: int


def _shared_at(folder: Path) -> _At | None:
    """Return it for a run that hosts share, None for another one."""
    try:
        return _At(**json.loads((folder / _SHARED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return _At("", 0)


def _keep_at(shared: Shared, folder: Path, length: int) -> None:
    try:
        with written(folder / _SHARED) as aside:
            aside.file.write(json.dumps(_At(shared.database, length)._asdict()).encode())
    except OSError as error:
        raise _storage_error(folder, error) from None


def _bring(shared: Shared, folder: Path, length: int) -> None:
    """Make the ledger of a shared run here what its log says. Nobody else works on the folder meanwhile."""
    here = _length_here(shared, folder)
    if here != length:
        _keep_at(shared, folder, 0)
        _keep_at(shared, folder, shared.bring(folder.name, folder / LEDGER_FILE, here if here < length else 0))


def _length_here(shared: Shared, folder: Path) -> int:
    at = _shared_at(folder)
    return at.length if at and at.database == shared.database and (folder / LEDGER_FILE).is_file() else 0


def _bring_all(state_dir: Path, shared: Shared) -> None:
    """Make the runs of this folder those that all hosts know; one that another host deleted goes here, too."""
    runs = shared.runs()
    for folder in [path for path in make_private(state_dir, "runs").iterdir() if path.name not in runs]:
        at = _shared_at(folder)
        if at and at.database == shared.database and at.length >= 0:
            with suppress(RunLockedError):
                _clear(folder)
    for run, (length, marks) in runs.items():
        if not length:
            continue  # written by another version
        folder = make_private(state_dir, "runs", run)
        for each in [each for each in Mark if each.value in marks]:
            (folder / each.value).touch(0o600)
        if _length_here(shared, folder) != length and f"run:{run}" not in shared.held:
            try:
                with _lock_here(folder, 0):
                    _bring(shared, folder, length)
            except RunLockedError:
                continue  # it is under way here
            except StorageError as error:
                log.warning("%s", error.sentence)
                if not (folder / LEDGER_FILE).is_file():  # it must not look like one that was never approved
                    _clear(folder)


def _clear(folder: Path) -> None:
    with _lock_here(folder, 0):
        _empty(folder)
    rmtree(folder, ignore_errors=True)


def share(folder: Path, store: Store, *, new: bool = False) -> None:
    """Have what a ledger commits known to all hosts, where they share the state; of a `new` run also what it holds.

    The run is held by `lock_run`. Raises CampaignLockedError, UnavailableError, StorageError.
    """
    shared = shared_of(folder.parents[1])
    if shared is not None and store.ship is None and (new or _shared_at(folder) is not None):
        length = max(0, _length_here(shared, folder))
        _keep_at(shared, folder, 0 if length else -1)
        shared.share(store, folder.name, length)
        _keep_at(shared, folder, 0)


def account_of(state_dir: Path, host: str, user: str, ceiling: float, run: str) -> AccountCeiling | SharedAccount:
    """Return a run's part in the limit of all runs of an API user; enter it to use it. Raises StorageError."""
    if (shared := shared_of(state_dir)) is not None:
        return shared.account(host, user, ceiling)
    from bulk_remove.sending.gate import AccountCeiling  # noqa: PLC0415 - what only shows help does not pay for it

    return AccountCeiling(account_file(state_dir, host, user), ceiling, run)


def delete_run(folder: Path) -> None:
    """Delete a run's folder with all that is in it. Raises RunLockedError when it is under way, StorageError."""
    try:
        with lock_run(folder):
            if shared := shared_of(folder.parents[1]):
                shared.delete(folder.name)
            _empty(folder)
        rmtree(folder)
    except OSError as error:
        raise StorageError(
            phrase("The folder {folder} cannot be deleted whole: {problem}.", folder=folder, problem=error.strerror),
            "Check its permissions, then prune again; what is left of it may hold phone numbers.",
        ) from None


def _empty(folder: Path) -> None:
    """Delete all but the lock, which goes last, and free: some systems delete no file that is open."""
    for path in [path for path in folder.iterdir() if path.name != RUN_LOCK]:
        if path.is_dir() and not path.is_symlink():
            rmtree(path)
        else:
            path.unlink()


def account_file(state_dir: Path, host: str, user: str) -> Path:
    """Return where all runs of an API user note their requests to a host; its folder is made. Raises StorageError."""
    folder = make_private(state_dir, "accounts")
    # The user's name may hold anything: a digest keeps two of them apart.
    return folder / f"{_as_file_name(host)}-{sha256(user.encode()).hexdigest()[:16]}.sqlite"


def run_folders(state_dir: Path) -> list[Path]:
    """Return the folders of all runs, oldest first. Raises StorageError for a state folder that is not the user's own.

    What others may have put there is not looked at: it would be told as what this user's runs did.
    """
    runs = state_dir / "runs"
    try:
        if shared := shared_of(state_dir):
            _bring_all(state_dir, shared)
        if not runs.is_dir():
            return []
        for folder in (state_dir, runs):
            check_own(folder, folder.stat())
        return sorted(folder for folder in runs.iterdir() if folder.is_dir())
    except OSError as error:
        raise _storage_error(state_dir, error) from None


@contextmanager
def lock_campaigns(state_dir: Path, host: str, campaigns: Iterable[str]) -> Iterator[None]:
    """Hold several campaigns, as `lock_campaign` does one; always in one order. Raises what it does."""
    wanted = sorted(campaigns)

    def taken(holder: str) -> CampaignLockedError:
        return CampaignLockedError(
            phrase("Another run holds campaign {campaigns} ({holder}).", campaigns=", ".join(wanted), holder=holder),
            "Wait for it to end, then run again.",
        )

    with ExitStack() as stack:
        for campaign in wanted:
            stack.enter_context(lock_campaign(state_dir, host, campaign))
        if wanted and (shared := shared_of(state_dir)):
            stack.enter_context(shared.lease([f"campaign:{host}/{campaign}" for campaign in wanted], taken))
        yield


@contextmanager
def lock_inbox(state_dir: Path, inbox: Path) -> Iterator[None]:
    """Hold a drop folder for this process while the context is entered, as `lock_campaign` does a campaign."""
    digest = sha256(os.fsencode(inbox)).hexdigest()[:16]

    def taken(holder: str) -> CampaignLockedError:
        return CampaignLockedError(
            phrase("Another night works on {inbox} ({holder}).", inbox=inbox, holder=holder),
            "Wait for it to end, then run again.",
        )

    with ExitStack() as stack:
        here = phrase("Another night on this machine works on {inbox}.", inbox=inbox)
        stack.enter_context(_held(state_dir, f"inbox-{digest}", here))
        if shared := shared_of(state_dir):
            stack.enter_context(shared.lease([f"inbox:{digest}"], taken))
        yield


@contextmanager
def lock_campaign(state_dir: Path, host: str, campaign: str) -> Iterator[None]:
    """Hold the campaign for this process while the context is entered; a process that dies lets it go.

    Raises CampaignLockedError when another run holds it, StorageError when the lock cannot be made.
    """
    name = f"{_as_file_name(host)}-{campaign}"
    with _held(state_dir, name, phrase("Another run on this machine holds campaign {campaign}.", campaign=campaign)):
        yield


@contextmanager
def _held(state_dir: Path, name: str, taken: str) -> Iterator[None]:
    folder = make_private(state_dir, "locks")
    lock = FileLock(folder / f"{name}.lock", mode=0o600, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CampaignLockedError(taken, "Wait for it to end, then run again.") from None
    except OSError as error:
        raise _storage_error(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def make_private(state_dir: Path, *below: str) -> Path:
    """Make the state folder and a folder in it for their owner alone, if they are not there; return the lower one.

    Raises StorageError when it cannot be written to, is another user's, or others can write to it.
    """
    try:
        return make_folders(state_dir, *below)
    except OSError as error:
        raise _storage_error(state_dir.joinpath(*below), error) from None


def _storage_error(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        phrase("The folder {folder} cannot be used: {problem}.", folder=folder, problem=ours(str(error.strerror))),
        error.hint if isinstance(error, NotOwnError) else "Choose another one with --state-dir.",
    )
