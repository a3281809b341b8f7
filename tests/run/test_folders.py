import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bulk_remove.core.throttle import LINE_LASTS_S, PACE_LASTS_S, Learned
from bulk_remove.errors import CampaignLockedError, StorageError
from bulk_remove.run import folders
from bulk_remove.run.folders import (
    default_state_dir,
    keep_learned,
    learned_of,
    lock_campaigns,
    new_run_folder,
    run_folders,
)

ROOT = Path(__file__).parents[2]
NOON_S = 1_700_000_000.0
posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@contextmanager
def holder(state_dir: Path, campaign: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a campaign."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.campaign_holder", str(state_dir), "host", campaign],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_run_ids_sort_by_time_also_within_a_second(tmp_path: Path) -> None:
    later_s = [0.0, 0.001, 0.5, 0.999, 0.999_999, 1, 1.25, 59, 86_400, 400 * 86_400]
    made = [new_run_folder(tmp_path, NOON_S + moment_s) for moment_s in later_s]
    assert sorted(made) == made
    assert [folder.name for folder in made[:3]] == [f"20231114-221320-{part}" for part in ("0000", "0042", "8000")]
    assert all(re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}", folder.name) for folder in made)
    assert {folder.parent for folder in made} == {tmp_path / "runs"}


def test_runs_of_one_moment_get_a_folder_each_in_their_order(tmp_path: Path) -> None:
    made = [new_run_folder(tmp_path, NOON_S + 0.999_999) for _ in range(3)]
    assert [folder.name[-6:] for folder in made] == ["1-0000", "1-0001", "1-0002"]
    assert sorted(made) == made


@posix_only
def test_folders_and_locks_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run = new_run_folder(tmp_path / "state", NOON_S)
        with lock_campaigns(tmp_path / "state", "host", ["00001"]):
            modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*")}
    finally:
        os.umask(before)
    assert modes == {"runs": 0o700, run.name: 0o700, "locks": 0o700, "host-00001.lock": 0o600}


def test_a_campaign_that_another_process_holds_is_refused_and_others_are_not(tmp_path: Path) -> None:
    with holder(tmp_path, "00001"):
        with (
            pytest.raises(CampaignLockedError, match="is using campaign 00001"),
            lock_campaigns(tmp_path, "host", ["00001"]),
        ):
            pytest.fail("both hold it")
        with lock_campaigns(tmp_path, "host", ["00002"]), lock_campaigns(tmp_path, "other-host", ["00001"]):
            assert len(list((tmp_path / "locks").iterdir())) == 3


def test_a_holder_that_was_killed_lets_the_campaign_go(tmp_path: Path) -> None:
    with holder(tmp_path, "00001") as process:
        process.kill()
        process.wait()
        with lock_campaigns(tmp_path, "host", ["00001"]), pytest.raises(CampaignLockedError):
            lock_campaigns(tmp_path, "host", ["00001"]).__enter__()


def test_a_campaign_is_free_again_as_soon_as_its_context_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FileLock] = []  # so that nothing is freed only because it was collected

    def remembered(path: Path, **properties: Any) -> FileLock:
        made.append(FileLock(path, **properties))
        return made[-1]

    monkeypatch.setattr(folders, "FileLock", remembered)
    with lock_campaigns(tmp_path, "host", ["00001"]):
        assert made[0].is_locked
    with pytest.raises(ZeroDivisionError), lock_campaigns(tmp_path, "host", ["00001"]):
        assert 1 / 0
    with holder(tmp_path, "00001"):
        assert not any(lock.is_locked for lock in made)


def test_the_folders_of_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    assert run_folders(tmp_path / "none yet") == []
    made = [new_run_folder(tmp_path, NOON_S + seconds) for seconds in (60, 0, 30)]
    (tmp_path / "runs" / "20000101-000000-note.txt").touch()
    assert run_folders(tmp_path) == [made[1], made[2], made[0]]


def test_a_host_with_a_port_makes_a_file_name_that_every_system_takes(tmp_path: Path) -> None:
    with lock_campaigns(tmp_path, "[::1]:8080", ["00001"]):
        assert [path.name for path in (tmp_path / "locks").iterdir()] == ["___1__8080-00001.lock"]


@pytest.mark.parametrize("use", ["run", "lock"])
@pytest.mark.parametrize("occupied", ["", "runs", "locks"], ids=["state dir is a file", "runs is", "locks is"])
def test_a_file_in_the_place_of_a_folder_is_a_storage_error_with_a_hint(
    tmp_path: Path, use: str, occupied: str
) -> None:
    state_dir = tmp_path / "state"
    if occupied:
        state_dir.mkdir()
    (state_dir / occupied).touch()
    if occupied and (use == "run") != (occupied == "runs"):
        attempt(use, state_dir)
        return
    with pytest.raises(StorageError, match=r"The folder .*state.* cannot be used: ") as failure:
        attempt(use, state_dir)
    assert failure.value.hint == "Choose another one with --state-dir."


def attempt(use: str, state_dir: Path) -> None:
    if use == "run":
        new_run_folder(state_dir, NOON_S)
    else:
        with lock_campaigns(state_dir, "host", ["00001"]):
            pass


@pytest.mark.parametrize("use", ["run", "lock"])
def test_a_folder_that_may_not_be_written_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)  # root may write everywhere
    with pytest.raises(StorageError, match="Permission denied"):
        attempt(use, tmp_path)


def test_a_disk_without_room_for_another_folder_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run_folder(tmp_path, NOON_S)
    mkdir = Path.mkdir

    def full(path: Path, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False) -> None:
        if path.parent.name == "runs":
            raise OSError(28, "No space left on device")
        mkdir(path, mode, parents=parents, exist_ok=exist_ok)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StorageError, match="No space left on device"):
        new_run_folder(tmp_path, NOON_S)


def test_a_folder_in_the_place_of_a_lock_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "locks" / "host-00001.lock").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be used: Is a directory"):
        attempt("lock", tmp_path)


def test_the_state_of_runs_is_kept_where_the_platform_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir().name == "bulk-remove"
    if sys.platform == "linux":
        assert default_state_dir() == tmp_path / "bulk-remove"


def test_what_was_learned_is_remembered_for_its_host_for_a_while(tmp_path: Path) -> None:
    assert learned_of(tmp_path, "host:8080", NOON_S) == Learned()
    learned = Learned(4000, NOON_S, 3.5, 200, NOON_S)
    keep_learned(tmp_path, "host:8080", Learned(9000, NOON_S))
    keep_learned(tmp_path, "host:8080", learned)
    assert learned_of(tmp_path, "host:8080", NOON_S) == learned
    assert learned_of(tmp_path, "host:8080", NOON_S + LINE_LASTS_S - 1).longest_line == 4000
    assert learned_of(tmp_path, "host:8080", NOON_S + PACE_LASTS_S).rate is None
    assert learned_of(tmp_path, "host:8080", NOON_S + LINE_LASTS_S).longest_line is None
    assert learned_of(tmp_path, "host", NOON_S) == Learned()
    assert [path.name for path in (tmp_path / "hosts").iterdir()] == ["host_8080.json"]


@pytest.mark.parametrize(
    "contents",
    [b"", b"{", b"[]", b"[" * 200_000, b'{"max_request_line": "x", "learned_at_s": 1700000000}', b"\xff"],
    ids=["empty", "cut short", "a list", "too deep", "no figure", "not UTF-8"],
)
def test_a_line_limit_that_cannot_be_read_was_not_learnt(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "host.json").write_bytes(contents)
    assert learned_of(tmp_path, "host", NOON_S) == Learned()


@pytest.mark.parametrize("figure", ["-5", "0", "1e999", "NaN", "-Infinity"])
def test_figures_that_no_run_writes_were_not_learnt(tmp_path: Path, figure: str) -> None:
    names = ("max_request_line", "requests_per_second", "numbers_per_request")
    times = ("learned_at_s", "pace_learned_at_s", "brackets_learned_at_s")
    (tmp_path / "hosts").mkdir()
    of_figures = {**dict.fromkeys(names, figure), **dict.fromkeys(times, str(NOON_S))}
    of_times = {**dict.fromkeys(names, "4000"), **dict.fromkeys(times, figure)}
    for values in (of_figures, of_times):
        told = ", ".join(f'"{name}": {value}' for name, value in values.items())
        (tmp_path / "hosts" / "host.json").write_text(f'{{"brackets": "auto", {told}}}')
        learned = learned_of(tmp_path, "host", NOON_S)
        assert (learned.longest_line, learned.rate, learned.numbers, learned.brackets) == (None, None, None, None)


def test_a_line_limit_that_cannot_be_kept_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "hosts" / "host.json").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be used"):
        keep_learned(tmp_path, "host", Learned(4000, NOON_S))


def test_runs_of_two_campaigns_that_learn_at_once_do_not_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def overtaken(path: str, target: str, **folders: int) -> None:
        monkeypatch.setattr(os, "replace", replace)
        keep_learned(tmp_path, "host", Learned(4000, NOON_S))  # what another process does meanwhile
        replace(path, target, **folders)

    monkeypatch.setattr(os, "replace", overtaken)
    keep_learned(tmp_path, "host", Learned(5000, NOON_S))
    assert learned_of(tmp_path, "host", NOON_S).longest_line == 5000
    assert [path.name for path in (tmp_path / "hosts").iterdir()] == ["host.json"]
