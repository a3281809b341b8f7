"""What a user is told when something is wrong: one sentence, one hint, the exit code, never a traceback."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_remove.core.replies import Effect, Fault
from bulk_remove.run.preflight import error_of
from tests.support.processes import Running, bulk_remove, environment, removal, simulator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon;city\n601234555;Łódź\n601234556;Kraków\n", encoding="utf-8")
    return source


def told(words: tuple[str | Path, ...], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the exit code and what was printed as an error; a number or a traceback in it fails the test."""
    done = bulk_remove(*words, env=env)
    assert "Traceback" not in done.stderr
    assert "601234555" not in done.stdout + done.stderr
    return done.returncode, done.stderr


def nothing_sent(server: Running) -> bool:
    return '"method":"DELETE"' not in server.audit.read_text(encoding="utf-8")


def test_a_wrong_password_is_6_and_shown_nowhere(server: Running, tmp_path: Path, numbers: Path) -> None:
    code, error = told(removal(server, tmp_path, numbers), environment(BULK_REMOVE_PASSWORD="wrong-one"))
    assert code == 6
    assert "does not accept this user and password" in error
    assert "Check --user" in error
    assert "wrong-one" not in error


def test_an_unknown_campaign_is_6(server: Running, tmp_path: Path, numbers: Path) -> None:
    code, error = told(removal(server, tmp_path, numbers, "-c", "99999"))
    assert code == 6
    assert "does not know this campaign" in error
    assert "Check campaign 99999" in error


def test_an_unreachable_host_is_7_at_once(tmp_path: Path, numbers: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, error = told(removal(Running(f"http://127.0.0.1:{port}", tmp_path), tmp_path, numbers))
    assert code == 7
    assert "cannot be reached" in error


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        pytest.param(None, (), "there is no file", id="no such file"),
        pytest.param("", (), "empty", id="empty file"),
        pytest.param("telefon\n", (), "no rows", id="header only"),
        pytest.param(
            "name;city\nJan;Rzym\n", (), "no column is certain to hold the phone numbers", id="no phone column"
        ),
        pytest.param("telefon\n601234555\n", ("--column", "mobile"), "mobile", id="no such column"),
        pytest.param("telefon\nbrak\nbrak\n", ("--column", "telefon"), "phone", id="no number at all"),
    ],
)
def test_an_input_that_cannot_be_used_is_4(
    server: Running, tmp_path: Path, content: str | None, options: tuple[str, ...], sentence: str
) -> None:
    source = tmp_path / "input.csv"
    if content is not None:
        source.write_text(content, encoding="utf-8")
    code, error = told((*removal(server, tmp_path, source), *options))
    assert code == 4, error
    assert sentence in error.lower()
    assert nothing_sent(server)


def test_no_terminal_and_no_yes_is_2(server: Running, tmp_path: Path, numbers: Path) -> None:
    words = [word for word in removal(server, tmp_path, numbers) if word != "--yes"]
    code, error = told(tuple(words))
    assert code == 2
    assert "no terminal" in error
    assert "--yes" in error
    assert nothing_sent(server)


@pytest.mark.parametrize(
    ("options", "env", "sentence"),
    [
        pytest.param(("-c", "1"), {}, "five letters or digits", id="campaign"),
        pytest.param(("--url", "http://example.thulium.com"), {}, "plain http", id="plain http"),
        pytest.param(("--url", "https://u:p@example.thulium.com"), {}, "a user, a password", id="password in the URL"),
        pytest.param(("--url", "ftp://x"), {}, "not an http", id="no http"),
        pytest.param(("--url", "http://127.0.0.1:99999"), {}, "not a URL", id="port"),
        pytest.param(("--system", "acme"), {}, "Both --url and --system", id="url and system"),
        pytest.param(("--rate", "0"), {}, "--rate is 0", id="rate"),
        pytest.param(("--rate", "fast"), {}, "--rate", id="rate in words"),
        pytest.param(("--busy-for", "soon"), {}, "is not a duration", id="duration"),
        pytest.param(("--region", "XX"), {}, "--region", id="region"),
        pytest.param(("--max-request-line", "60"), {}, "no room for a single number", id="request line"),
        pytest.param(("--user", ""), {}, "--user is empty", id="no user"),
        pytest.param((), {"BULK_REMOVE_PASSWORD": ""}, "No password", id="no password"),
        pytest.param(("--ca-file", "nowhere.pem"), {}, "CA file", id="CA file"),
        pytest.param(("-o", "/nowhere/report.csv"), {}, "cannot be written", id="output in no folder"),
        pytest.param(("-o", "/dev/null"), {}, "does not name a CSV file", id="output is no CSV"),
        pytest.param(("--nonsense",), {}, "has no flag --nonsense", id="unknown flag"),
        pytest.param((), {"BULK_REMOVE_CONCURRENCY": "0"}, "--concurrency is 0", id="an environment variable"),
    ],
)
def test_a_setting_that_cannot_be_is_2(
    server: Running, tmp_path: Path, numbers: Path, options: tuple[str, ...], env: dict[str, str], sentence: str
) -> None:
    code, error = told(removal(server, tmp_path, numbers, *options), environment(**env))
    assert code == 2, error
    assert sentence in error


def test_a_state_folder_that_cannot_be_made_is_10(server: Running, tmp_path: Path, numbers: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    code, error = told(removal(server, tmp_path, numbers, "--state-dir", in_the_way / "state"))
    assert code == 10
    assert "--state-dir" in error


def test_what_was_not_approved_leaves_no_ledger_behind(server: Running, tmp_path: Path, numbers: Path) -> None:
    told(removal(server, tmp_path, numbers), environment(BULK_REMOVE_PASSWORD="wrong-one"))
    assert list((tmp_path / "state").glob("runs/*")) == []


def test_a_bad_fault_for_the_simulator_is_2() -> None:
    code, error = told(("simulate", "--fault", "gremlins=1"))
    assert (code, "dropped_after" in error) == (2, True)
    code, error = told(("simulate", "--fault", "dropped_after=2", "--port", "0"))
    assert (code, "between 0 and 1" in error) == (2, True)
    code, error = told(("simulate", "--fault", "dropped_after", "--port", "0"))
    assert (code, "has no rate" in error) == (2, True)


@pytest.mark.parametrize(("campaign", "meant"), [("00001", "campaign 00001,"), ("", "the campaigns,")])
def test_a_campaign_that_vanishes_while_sending_is_named_where_there_is_one(campaign: str, meant: str) -> None:
    gone = Fault(Effect.DENIED, "HTTP 404", "The server does not know this campaign (HTTP 404).", 404)
    assert error_of(gone, campaign).hint.startswith(f"Check {meant}")
    assert error_of(replace(gone, campaign="00002"), "00001,00002").hint.startswith("Check campaign 00002,")


@pytest.mark.parametrize(
    ("asked_s", "told"), [(1800.0, "It asks to wait 30 min 0 s;"), (None, "Check --url"), (0.0, "Check --url")]
)
def test_a_server_that_asks_for_too_long_a_wait_is_quoted(asked_s: float | None, told: str) -> None:
    busy = Fault(Effect.UNTOUCHED, "HTTP 503", "Overloaded.", 503, throttled=True, retry_after_s=asked_s)
    assert error_of(busy, "00001").hint.startswith(told)
