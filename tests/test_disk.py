"""Files and folders that are the operator's own, on platforms that hold folders open and on those that do not."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from errno import EPERM
from hashlib import sha256
from pathlib import Path

import pytest

from bulk_remove import disk
from bulk_remove.disk import Folder, NotOwnError, check_own, make_private, opened, opened_again, private, written

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")


@pytest.fixture(params=["held", "by name"], autouse=True)
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test all of it twice: as it is here, and where there are neither held folders nor O_NOFOLLOW."""
    if request.param == "by name":
        monkeypatch.setattr(disk, "_HOLDS_FOLDERS", False)
        monkeypatch.setattr(disk, "_NO_LINK", 0)


@pytest.fixture(name="any_mode")
def any_mode_fixture() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@posix_only
@pytest.mark.usefixtures("any_mode")
def test_all_folders_from_the_state_folder_down_are_private_whatever_the_umask(tmp_path: Path) -> None:
    lowest = make_private(tmp_path / "home" / "bulk-remove", "runs", "one")
    assert lowest == tmp_path / "home" / "bulk-remove" / "runs" / "one"
    own = [lowest, lowest.parent, lowest.parent.parent]
    assert {path.stat().st_mode & 0o777 for path in own} == {0o700}


@posix_only
def test_what_is_there_is_closed_to_others_and_refused_where_they_could_write(tmp_path: Path) -> None:
    for name in ("state", "state/runs"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    make_private(tmp_path / "state", "runs")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("state", "state/runs")] == [0o755, 0o700]
    (tmp_path / "link").symlink_to(tmp_path / "state")
    assert make_private(tmp_path / "link", "runs").is_dir()  # the operator's own may lie elsewhere
    (tmp_path / "state" / "locks").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "state", "locks")
    for name in ("state/runs", "state"):
        (tmp_path / name).chmod(0o770)
        with pytest.raises(NotOwnError, match="others can write to it") as refusal:
            make_private(tmp_path / "state", "runs")
        assert refusal.value.hint.endswith(f"chmod go-w {tmp_path / name}")


@posix_only
def test_what_belongs_to_another_user_is_refused_and_roots_only_where_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path.stat()
    own = os.stat_result((stat.S_IFDIR | 0o700, *facts[1:4], 12001, *facts[5:]))
    roots = os.stat_result((stat.S_IFDIR | 0o700, *facts[1:4], 0, *facts[5:]))
    monkeypatch.setattr(os, "geteuid", lambda: 12001)
    check_own(tmp_path, own)
    check_own(tmp_path, roots, roots=True)
    with pytest.raises(NotOwnError, match="it belongs to another user"):
        check_own(tmp_path, roots)
    monkeypatch.delattr(os, "geteuid")  # as on Windows
    check_own(tmp_path, roots)


@posix_only
def test_only_a_regular_file_is_opened_at_once_and_only_through_links_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server, Folder(tmp_path) as folder:
        server.bind(str(tmp_path / "socket"))
        for name, problem in (("pipe", "not a regular"), ("socket", "not a regular"), ("link", "a link")):
            with pytest.raises(OSError, match=problem):
                opened(tmp_path / name)
            with pytest.raises(OSError, match=problem):
                folder.opened(name)
        with pytest.raises(IsADirectoryError):
            opened(tmp_path)
        for file in (opened(tmp_path / "link", links=True), opened(tmp_path / "file"), folder.opened("file")):
            with file:
                assert file.read() == b"x"


@posix_only
@pytest.mark.usefixtures("any_mode")
def test_a_file_gets_its_name_when_it_is_whole_and_takes_the_place_of_a_file_or_a_link_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept", encoding="utf-8")
    (tmp_path / "report").symlink_to("kept")
    with written(tmp_path / "report") as aside:
        aside.file.write(b"new")
        (part,) = tmp_path.glob(".report.*.part")
        assert part.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "report").is_symlink()
    assert [(tmp_path / name).read_bytes() for name in ("report", "kept")] == [b"new", b"kept"]
    assert aside.facts
    assert os.path.samestat(aside.facts, (tmp_path / "report").stat())
    assert aside.sha256 == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
    with written(tmp_path / "metrics", 0o644):
        pass
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("report", "metrics")] == [0o600, 0o644]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="not a regular file"), written(tmp_path / "folder"):
        pytest.fail("it would be replaced")
    with pytest.raises(ZeroDivisionError), written(tmp_path / "report") as aside:
        aside.file.write(b"%d" % (1 // 0))
    assert (tmp_path / "report").read_bytes() == b"new"
    assert not [*tmp_path.glob(".*")]


def test_a_name_that_somebody_made_before_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "token_hex", lambda _: "guessed")
    (tmp_path / ".report.guessed.part").write_text("theirs", encoding="utf-8")
    with pytest.raises(FileExistsError), written(tmp_path / "report"):
        pytest.fail("it would be followed")
    assert (tmp_path / ".report.guessed.part").read_text(encoding="utf-8") == "theirs"


@posix_only
def test_a_place_is_tried_without_leaving_anything_and_not_where_a_link_stands(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        folder.check_place("report")
        assert not [*tmp_path.iterdir()]
        (tmp_path / "report").symlink_to("/dev/null")
        with pytest.raises(OSError, match="it is a link"):
            folder.check_place("report")
    with pytest.raises(FileNotFoundError):
        Folder(tmp_path / "missing").check_place("report")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Folder(tmp_path / "file")


@posix_only
def test_a_folder_in_a_folder_is_never_a_link_and_a_file_is_moved_between_them(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "a").write_text("x", encoding="utf-8")
    with Folder(tmp_path, listed=True) as here:
        with pytest.raises(NotADirectoryError):
            here.folder("link")
        with here.folder("done") as done, here.folder("done") as again:
            here.move("a", done, "b")
            assert stat.S_ISDIR(again.facts().st_mode)
            assert done.look("b") is not None
        assert here.names() == ["done", "link"]
        assert here.look("a") is None


@posix_only
def test_a_file_that_is_added_to_is_never_a_link(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "by name" in request.node.name:
        pytest.skip("nothing tells a link before it is followed where there is no O_NOFOLLOW")
    (tmp_path / "log").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"), open(tmp_path / "log", "a", encoding="utf-8", opener=private):
        pytest.fail("it would be followed")


@pytest.mark.parametrize("links", [True, False])
def test_what_comes_to_a_fresh_place_while_a_file_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_link(*_places: object, **_descriptors: object) -> None:
        raise PermissionError(EPERM, os.strerror(EPERM))  # as FAT does

    if not links:
        monkeypatch.setattr(os, "link", no_link)

    def write(name: str, come: Callable[[Path], object]) -> None:
        with written(tmp_path / name, replacing=False) as aside:
            aside.file.write(b"ours")
            come(tmp_path / name)

    with pytest.raises(FileExistsError):
        write("one", lambda path: path.write_bytes(b"mine"))
    with pytest.raises(FileExistsError):
        write("two", lambda path: path.symlink_to("gone"))
    assert (tmp_path / "one").read_bytes() == b"mine"
    assert (tmp_path / "two").readlink() == Path("gone")
    with written(tmp_path / "three", replacing=False) as aside:
        aside.file.write(b"ours")
    assert (tmp_path / "three").read_bytes() == b"ours"
    assert aside.sha256 == sha256(b"ours").hexdigest()
    opened_again(aside).close()
    assert (tmp_path / "three").stat().st_nlink == 1
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "three"}
