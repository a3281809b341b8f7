"""A drop folder in which somebody else can write: nothing of the operator's is read, overwritten or run for him."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, environment, simulator
from tests.support.two_users import OPERATOR, OTHER, made, needs_two_users, operator, other, shared_folder

pytestmark = needs_two_users
_FIRST_NUMBERS = count(700_000_000, 1000)
SECRET = "700999001"
"""A number that stands only in a file of the operator's that the other one may not read."""


class Place(NamedTuple):
    """A drop folder for all, the operator's home with a secret in it, and the operator's state folder."""

    inbox: Path
    home: Path
    state: Path
    url: str


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(name="place")
def place_fixture(server: Running) -> Iterator[Place]:
    with shared_folder() as folder:
        home = made(folder / "home", OPERATOR, 0o700)
        secret = home / "secret.csv"
        secret.write_text(f"telefon\n{SECRET}\n", encoding="utf-8")
        os.chown(secret, OPERATOR, OPERATOR)
        secret.chmod(0o600)
        inbox = made(folder / "inbox", OPERATOR, 0o777)
        yield Place(inbox, home, home / "state" / "bulk-remove", server.url)


def words(place: Place, *more: str | Path) -> tuple[str | Path, ...]:
    own = ("--url", place.url, "--user", "demo", "-c", "00001", "--state-dir", place.state, "--yes")
    return ("inbox", place.inbox, *own, "--pace", "fixed", "--rate", "100", "--settle", "50ms", *more)


def dropped(place: Place, name: str) -> list[str]:
    """Let the other user drop a file of new numbers; returns them."""
    first = next(_FIRST_NUMBERS)
    numbers = [str(first + index) for index in range(5)]
    text = "\n".join(["telefon", *numbers])
    other(f"open({str(place.inbox / name)!r}, 'w').write({text!r})")
    return numbers


def asked(server: Running) -> set[str]:
    return {number for entry in read_audit(server.audit) for number in entry.asked}


def of_the_home(place: Place) -> dict[str, bytes]:
    """Return what is in the operator's home besides the state folder."""
    return {path.name: path.read_bytes() for path in place.home.iterdir() if path.is_file()}


@pytest.fixture(autouse=True)
def nothing_of_the_operators_is_read_or_changed(place: Place, server: Running) -> Iterator[None]:
    before = of_the_home(place)
    yield
    assert of_the_home(place) == before
    assert SECRET not in asked(server)


def test_an_ordinary_file_of_another_user_is_run_and_what_comes_of_it_is_the_operators_alone(
    place: Place, server: Running
) -> None:
    numbers = dropped(place, "a.csv")
    dropped(place, "b.pdf.csv")
    other(f"open({str(place.inbox / 'bad.csv')!r}, 'w').write('miasto\\nRzym\\n')")
    done = operator(*words(place))
    assert done.returncode == 4, done.stderr
    assert {*numbers} <= asked(server)
    for folder in ("done", "failed"):
        assert (place.inbox / folder).stat().st_mode & 0o7777 == 0o700
    written = [path for path in place.inbox.rglob("*.*.*") if path.suffix != ".csv" or "report" in path.name]
    assert {path.name for path in written} >= {"a.csv.report.csv", "a.csv.report.summary.json", "bad.csv.note.txt"}
    assert {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in written} == {(OPERATOR, 0o600)}
    folders = [place.state, *(path for path in place.state.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_what_is_no_file_of_its_own_is_left_where_it_lies_and_nobody_waits_for_it(
    place: Place, server: Running
) -> None:
    numbers = dropped(place, "z.csv")
    os.link(place.home / "secret.csv", place.inbox / "hard.csv")  # where the kernel lets anybody do that
    other(
        f"os.chdir({str(place.inbox)!r})\n"
        f"os.symlink({str(place.home / 'secret.csv')!r}, 'link.csv')\n"
        f"os.symlink({str(place.home)!r}, 'folder.csv')\n"
        "os.symlink('/dev/zero', 'endless.csv')\n"
        "os.mkfifo('pipe.csv')\n"
        "os.mkdir('real.csv')\n"
        "open('locked.csv', 'w').write('telefon')\n"
        "os.chmod('locked.csv', 0)\n"
    )
    done = operator(*words(place))
    assert done.returncode == 4, done.stderr
    assert "hard.csv has another name elsewhere (a hard link)." in done.stderr
    assert "locked.csv cannot be read: Permission denied." in done.stderr
    left = {"hard.csv", "link.csv", "folder.csv", "endless.csv", "pipe.csv", "real.csv", "locked.csv"}
    assert {path.name for path in place.inbox.iterdir()} == left | {"done"}
    assert {*numbers} <= asked(server)
    (place.inbox / "hard.csv").unlink()


@pytest.mark.parametrize("name", ["done", "failed"])
@pytest.mark.parametrize("kind", ["link", "theirs", "open to all", "a file"])
def test_a_done_or_failed_that_is_not_the_operators_own_is_2_and_nothing_is_sent(
    place: Place, server: Running, name: str, kind: str
) -> None:
    numbers = dropped(place, "a.csv")
    where = str(place.inbox / name)
    if kind == "open to all":
        made(place.inbox / name, OPERATOR, 0o777)
    else:
        other(
            {
                "link": f"os.symlink({str(place.home)!r}, {where!r})",
                "theirs": f"os.mkdir({where!r}, 0o755)",
                "a file": f"open({where!r}, 'w')",
            }[kind]
        )
    done = operator(*words(place))
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{where} cannot be used: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not {*numbers} & asked(server)


_SWAPPED = """
import os
from importlib import import_module
module, owner, name = "{place}".rsplit(".", 2)
holder = getattr(import_module(module), owner)
whole = getattr(holder, name)
done = []
def swapped(*words, **named):
    if not done:
        done.append(True)
{swap}
    return whole(*words, **named)
setattr(holder, name, swapped)
"""


def swapped(place: str, *lines: str) -> str:
    """Return code that does something in the moment before a method is called first."""
    return _SWAPPED.format(place=place, swap="\n".join(f"        {line}" for line in lines))


@pytest.mark.parametrize("put", ["symlink({secret!r}, {file!r})", "mkfifo({file!r})", "link({secret!r}, {file!r})"])
@pytest.mark.parametrize("moment", ["open", "move"])
def test_a_file_that_is_swapped_between_two_looks_at_it_is_neither_read_nor_moved(
    place: Place, server: Running, put: str, moment: str
) -> None:
    numbers = dropped(place, "a.csv")
    file = str(place.inbox / "a.csv")
    put = put.format(secret=str(place.home / "secret.csv"), file=file)
    script = swapped(f"bulk_remove.run.inbox.Inbox.{moment}", f"os.rename({file!r}, {file!r} + '.1')", f"os.{put}")
    done = operator(*words(place), before=script)
    assert done.returncode in {0, 4}, done.stderr
    assert ({*numbers} <= asked(server)) == (moment == "move")
    assert os.path.lexists(file)
    assert not (place.inbox / "done" / "a.csv").exists()
    Path(file).unlink()


def test_a_file_that_is_replaced_in_the_moment_of_the_move_is_put_back(place: Place, server: Running) -> None:
    numbers = dropped(place, "a.csv")
    script = swapped(
        "bulk_remove.disk.Folder.move",
        f"os.rename({str(place.inbox / 'a.csv')!r}, {str(place.inbox / 'was.txt')!r})",
        f"open({str(place.inbox / 'a.csv')!r}, 'w').write('telefon')",
    )
    done = operator(*words(place), before=script)
    assert done.returncode == 0, done.stderr
    assert "a.csv was removed or replaced meanwhile" in done.stdout
    assert (place.inbox / "a.csv").read_text(encoding="utf-8") == "telefon"
    assert {path.name for path in (place.inbox / "done").iterdir()} == {"a.csv.report.csv", "a.csv.report.summary.json"}
    assert {*numbers} <= asked(server)


def test_a_file_that_changes_while_it_is_read_is_left_and_one_that_changes_later_was_read_whole(
    place: Place, server: Running
) -> None:
    numbers, file = dropped(place, "a.csv"), str(place.inbox / "a.csv")
    os.chown(file, OPERATOR, OPERATOR)  # the operator's process plays both parts
    script = swapped("bulk_remove.reader.source.Spool.fill", f"open({file!r}, 'a').write('\\n{SECRET}')")
    done = operator(*words(place), before=script)
    assert (done.returncode, "a.csv changed while it was read" in done.stdout) == (0, True), done.stderr
    assert not {*numbers} & asked(server)
    (place.inbox / "a.csv").write_text("\n".join(["telefon", *numbers]), encoding="utf-8")
    # Its time is put back: what was copied counts, and not what lies there.
    script = swapped(
        "bulk_remove.run.inbox.Night._run",
        f"then = os.stat({file!r})",
        f"open({file!r}, 'r+').write('telefon\\n{SECRET}\\n')",
        f"os.utime({file!r}, ns=(then.st_atime_ns, then.st_mtime_ns))",
    )
    done = operator(*words(place), before=script)
    assert {*numbers} <= asked(server)
    assert "was removed or replaced meanwhile" in done.stdout


def test_a_done_that_is_led_elsewhere_in_the_middle_of_a_night_leads_nothing_there(
    place: Place, server: Running
) -> None:
    numbers = dropped(place, "a.csv")
    done_folder, home = str(place.inbox / "done"), str(place.home)
    (place.home / "a.csv.report.csv").write_text("mine", encoding="utf-8")
    script = swapped(
        "bulk_remove.run.inbox.Inbox.put_reports",
        f"os.rename({done_folder!r}, {done_folder!r} + '.away')",
        f"os.symlink({home!r}, {done_folder!r})",
    )
    done = operator(*words(place), before=script)
    assert done.returncode == 0, done.stderr
    assert {*numbers} <= asked(server)
    assert {path.name for path in (place.inbox / "done.away").iterdir()} == {
        "a.csv", "a.csv.report.csv", "a.csv.report.summary.json"
    }  # fmt: skip
    (place.home / "a.csv.report.csv").unlink()


def test_a_report_beside_its_input_replaces_no_links_target_and_is_copied_from_what_was_written(
    place: Place, server: Running
) -> None:
    numbers = dropped(place, "a.csv")
    report, secret = str(place.inbox / "report.csv"), str(place.home / "secret.csv")
    run = ("run", place.inbox / "a.csv", *words(place)[2:-2], "-o", report)
    other(f"os.symlink({secret!r}, {report!r})")
    refused = operator(*run)
    assert (refused.returncode, "it is a link" in refused.stderr) == (2, True), refused.stderr
    assert not {*numbers} & asked(server)
    Path(report).unlink()
    linked = swapped(
        "bulk_remove.disk.Folder._part", f"os.path.lexists({report!r}) or os.symlink({secret!r}, {report!r})"
    )
    done = operator(*run, before=linked)
    assert done.returncode == 0, done.stderr
    assert Path(report).is_symlink()  # it came there while the run went on, so the report lies beside it
    assert numbers[0] in (place.inbox / "report-2.csv").read_text(encoding="utf-8")
    assert not Path(secret).exists() or numbers[0] not in Path(secret).read_text(encoding="utf-8")


@pytest.mark.parametrize("owner", [OTHER, OPERATOR], ids=["theirs", "the operator's, open to others"])
def test_a_file_of_profiles_that_another_may_have_written_runs_nothing(place: Place, owner: int) -> None:
    config, ran = place.inbox / "config.toml", place.inbox / "ran"
    config.write_text(f"[defaults]\npassword_command = 'touch {ran}'\n", encoding="utf-8")
    os.chown(config, owner, owner)
    config.chmod(0o664)
    done = operator("check", "--url", place.url, "--user", "x", "--config", config)
    assert done.returncode == 2
    assert f"{config} is not used: " in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize("owner", [OTHER, OPERATOR], ids=["theirs", "the operator's, open to others"])
@pytest.mark.parametrize("below", ["", "runs"])
@pytest.mark.parametrize(
    "command",
    [("runs", "list"), ("runs", "verify"), ("runs", "prune", "--older-than", "0s"), ("resume",), ("explain", "601234"),
     ("run", "a.csv", "-c", "00001", "--yes"), ("inbox", ".", "-c", "00001", "--yes"),
     ("plan", "a.csv", "-c", "00001")],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
def test_a_state_folder_in_which_another_can_write_is_refused_by_every_command(
    place: Place, command: tuple[str, ...], below: str, owner: int
) -> None:
    dropped(place, "a.csv")
    state = made(place.inbox / "state", OPERATOR if below else owner, 0o700 if below else 0o777)
    for name in ("runs", "locks"):
        made(state / name, owner, 0o777)
    words = [str(place.inbox / word) if word in {"a.csv", "."} else word for word in command]
    server = ("--url", place.url, "--user", "demo") if command[0] in {"run", "inbox"} else ()
    done = operator(*words, *server, "--state-dir", state)
    assert done.returncode == 10, done.stdout + done.stderr
    problem = "it belongs to another user" if owner == OTHER else "others can write to it"
    assert f"cannot be used: {problem}." in done.stderr


def test_root_is_refused_the_state_folder_of_another_user_too(place: Place) -> None:
    made(place.inbox / "state", OPERATOR, 0o700)
    made(place.inbox / "state" / "runs", OPERATOR, 0o700)
    done = bulk_remove("runs", "list", "--state-dir", place.inbox / "state")
    assert (done.returncode, "it belongs to another user" in done.stderr) == (10, True)
    assert "sudo -u" in done.stderr


def test_no_child_is_given_the_password_of_the_environment(place: Place) -> None:
    heard = place.home / "heard"
    script = f"sh -c 'env > {heard}; echo wrong'"
    env = environment(BULK_REMOVE_PASSWORD="hunter2")
    done = bulk_remove("check", "--url", place.url, "--user", "demo", "--password-command", script, env=env)
    assert done.returncode == 6, done.stderr
    assert "PATH=" in heard.read_text(encoding="utf-8")
    assert "hunter2" not in heard.read_text(encoding="utf-8")
    heard.unlink()


def test_what_lies_in_the_current_folder_is_not_imported(place: Place) -> None:
    code = f"open({str(place.inbox / 'ran')!r}, 'w')"
    other(f"open({str(place.inbox / 'tomllib.py')!r}, 'w').write({code!r})")
    state = place.inbox.parent / "own"
    done = subprocess.run(
        [sys.executable, "-m", "bulk_remove", "runs", "list", "--json", "--state-dir", state],
        cwd=place.inbox, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout) == {"runs": []}
    assert not (place.inbox / "ran").exists()
