"""Whatever an operator reads is Polish with --lang pl, and whatever a machine reads is as ever."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from bulk_remove.cli.commands import program
from tests.support.html_tree import parse_html
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator
from tests.support.terminal import at_a_terminal

WORD = re.compile(r"[A-Za-z][A-Za-z']+")
POLISH = ("--lang", "pl")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("polish"), "--busy-share", "0.2", "--busy-seconds", "600") as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    lines = ["phone;name", *(f"60{number:07d};x" for number in range(40)), "601 000 001;x", "brak;y", "6.01E+08;z"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def left_in_english(english: str, polish: str, *known: str | Path) -> list[str]:
    """Return the lines with words that both outputs have and that are none of the data."""
    told = {line.strip() for line in english.splitlines()}
    data = re.compile(
        "|".join(re.escape(str(each)) for each in sorted(map(str, known), key=len, reverse=True)) or r"\Z\A"
    )
    return [
        line
        for line in (line.strip() for line in polish.splitlines())
        if line in told and WORD.search(re.sub(r"\b[A-Z_]{2,}\b|--[a-z-]+|[0-9a-f]{8,}\S*", "", data.sub("", line)))
    ]


def both(*words: str | Path, known: Sequence[str | Path] = ()) -> tuple[str, str]:
    """Return what a command says in English and in Polish, and hold that nothing is left in English."""
    english, polish = bulk_remove(*words), bulk_remove(*words, *POLISH)
    assert english.returncode == polish.returncode
    for one, other in ((english.stdout, polish.stdout), (english.stderr, polish.stderr)):
        assert not left_in_english(one, other, "Stand-in", *known)
    return english.stdout + english.stderr, polish.stdout + polish.stderr


def commands(command: click.Command, *before: str) -> Iterator[tuple[str, ...]]:
    yield before
    for name, each in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands(each, *before, name)


@pytest.mark.parametrize("words", [*commands(program)], ids=" ".join)
def test_every_page_of_help_is_polish(words: tuple[str, ...]) -> None:
    english, polish = (bulk_remove(*words, "--help", "all", *more).stdout for more in ((), POLISH))
    assert polish.startswith("Użycie: ")
    assert "Przykład: " in polish
    left = left_in_english(english, polish, "bulk-remove")
    assert not [
        line for line in left if not re.match(r"bulk-remove |--|-\w, --|[a-z|-]+\]$|[a-z]+(,[a-z]+)+\.$|echo ", line)
    ]


def test_a_run_is_told_in_polish_from_the_plan_to_the_end(server: Running, tmp_path: Path, numbers: Path) -> None:
    words = removal(server, tmp_path, numbers, "--busy-for", "1s", "--max-invalid", "50%", "--report", "html")
    both(*words, known=[tmp_path, "report.csv"])
    assert report_of(tmp_path)


def test_what_machines_read_is_the_same_in_each_language(server: Running, tmp_path: Path, numbers: Path) -> None:
    made = []
    for language in ("en", "pl"):
        folder = tmp_path / language
        folder.mkdir()
        words = removal(server, folder, numbers, "--max-invalid", "50%", "--busy-for", "0s", "--lang", language)
        assert bulk_remove(*words).returncode in {0, 3}
        listed = bulk_remove("runs", "list", "--json", "--state-dir", folder / "state", "--lang", language).stdout
        plan = bulk_remove("plan", numbers, "-c", "00001", "--json", "--max-invalid", "50%", "--lang", language).stdout
        log = next((folder / "state").rglob("run.log")).read_text(encoding="utf-8")
        summary = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))
        details = {row["detail"] for row in report_of(folder)}
        made.append((plan, sorted(json.loads(listed)["runs"][0]), re.sub(r"[\d.:Z-]+", "", log), [*summary], details))
        assert summary["invalid_cells_by_reason"]
        assert all(reason.isascii() for reason in summary["invalid_cells_by_reason"])
    assert made[0] == made[1]


@pytest.mark.parametrize(("lang", "told"), [("pl_PL.UTF-8", "Plan dla"), ("de_DE", "Plan for"), ("C", "Plan for")])
def test_at_a_terminal_the_language_is_that_of_the_system_and_elsewhere_it_is_asked_for(
    tmp_path: Path, numbers: Path, lang: str, told: str
) -> None:
    words = ("plan", numbers, "-c", "00001", "--state-dir", tmp_path, "--max-invalid", "50%")
    env = environment(LC_ALL="", LC_MESSAGES="", LANG=lang)
    assert told in at_a_terminal(words, env=env)[0]
    assert "Plan for" in at_a_terminal((*words, "--lang", "en"), env=env)[0]
    assert "Plan for" in bulk_remove(*words, env=env).stdout
    assert "Plan dla" in bulk_remove(*words, env={**env, "BULK_REMOVE_LANG": "pl"}).stdout
    as_json = at_a_terminal((*words, "--json"), env=env)[0]
    assert json.loads(as_json[as_json.index("{") :])["numbers"]


def test_the_language_of_the_environment_is_no_setting_to_be_told_of_a_run(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    words = removal(server, tmp_path, numbers, "--max-invalid", "50%", "--busy-for", "0s")
    assert bulk_remove(*words, env=environment(BULK_REMOVE_LANG="pl")).returncode == 3


def test_the_page_is_polish(server: Running, tmp_path: Path, numbers: Path) -> None:
    words = removal(server, tmp_path, numbers, "--max-invalid", "50%", "--busy-for", "0s")
    bulk_remove(*words)
    pages = []
    for language in ("en", "pl"):
        path = tmp_path / f"{language}.html"
        state = ("--state-dir", tmp_path / "state")
        assert not bulk_remove("report", "-o", path, *state, "--lang", language).returncode
        pages.append(parse_html(path.read_text(encoding="utf-8")))
    english, polish = pages
    assert polish.all("html")[0]["lang"] == "pl"
    texts = [[element.text for element in page.all("body")] for page in pages]
    settings = [row.text.strip() for row in polish.all("tr") if row["class"] == "setting"]
    known: list[str | Path] = ["request_id", "SHA-256", tmp_path, "numbers.csv", "demo", *settings]
    assert not left_in_english(texts[0][0], texts[1][0], *known)
    assert [td["data-status"] for td in english.all("td") if "data-status" in td.attributes] == [
        td["data-status"] for td in polish.all("td") if "data-status" in td.attributes
    ]


def test_the_past_is_told_in_polish(server: Running, tmp_path: Path, numbers: Path) -> None:
    bulk_remove(*removal(server, tmp_path, numbers, "--max-invalid", "50%", "--busy-for", "0s"))
    state = ("--state-dir", tmp_path / "state")
    data = (tmp_path, "numbers.csv", "demo", "report.csv", "127.0.0.1")
    both("runs", "list", *state, known=data)
    shown = bulk_remove("runs", "list", "--json", *state).stdout
    run_id = json.loads(shown)["runs"][0]["run_id"]
    english, polish = (bulk_remove("runs", "show", run_id, *state, "--lang", each).stdout for each in ("en", "pl"))
    settings = polish.partition("\nUstawienia:")[2]
    assert settings
    assert not left_in_english(english, polish.replace(settings, ""), *data, run_id)
    both("runs", "verify", run_id, *state, known=[*data, run_id])
    both("explain", "601000001", *state, known=[*data, run_id])
    both("explain", "999", *state, known=data)
    both("runs", "prune", "--older-than", "90d", *state, known=data)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "missing.csv", "-c", "00001"),
        ("plan", "missing.csv"),
        ("plan",),
        ("plan", "x.csv", "-c", "1", "--max-invalid", "x"),
        ("plan", "x.csv", "-c", "00001", "--nonsense"),
        ("nonsense",),
        ("run", "x.csv", "-c", "00001"),
        ("run", "x.csv", "-c", "00001", "--url", "http://127.0.0.1:9"),
        ("resume",),
        ("resume", "nothing"),
        ("inbox", "nowhere", "-c", "00001"),
        ("check",),
        ("login",),
    ],
    ids=" ".join,
)
def test_what_goes_wrong_is_told_in_polish(words: tuple[str, ...], tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path)) if words[0] not in {"check", "nonsense", "login"} else ()
    both(*words, *state, known=(tmp_path, "bulk-remove"))


def test_the_language_may_be_a_variable_or_stand_in_a_profile_and_is_english_else(tmp_path: Path) -> None:
    wanted = "Nie ma pliku missing.csv."
    words = ("plan", "missing.csv", "-c", "00001", "--state-dir", tmp_path)
    assert wanted in bulk_remove(*words, env=environment(BULK_REMOVE_LANG="pl")).stderr
    assert wanted not in bulk_remove(*words, env=environment(LANG="pl_PL.UTF-8", LANGUAGE="pl")).stderr
    config = tmp_path / "config.toml"
    config.write_text('[defaults]\nlang = "pl"\n', encoding="utf-8")
    assert wanted in bulk_remove(*words, "--config", config).stderr
    assert wanted not in bulk_remove(*words, "--config", config, "--lang", "en").stderr


def test_at_a_terminal_the_question_is_polish(server: Running, tmp_path: Path, numbers: Path) -> None:
    words = [word for word in removal(server, tmp_path, numbers, "--max-invalid", "50%", *POLISH) if word != "--yes"]
    shown, code = at_a_terminal(words, ("albo n, aby przerwać:", "no\n"))
    assert code == 5, shown
    assert "Tego nie można cofnąć." in " ".join(shown.split())
    assert "Nie potwierdzono: niczego nie wysłano." in shown


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"telefon;tel\n601234555;601234556\n", ()),
        (b"name;city\nx;y\n", ()),
        (b"telefon;x\n601234555;y\n", ("--column", "zzz")),
        (b"telefon\n\xff\xfe\x00601234555\n", ("--encoding", "utf-8")),
        (b"telefon;x\n601234555;y\n601234556;y;z\n", ()),
        (b"", ()),
    ],
    ids=["two columns", "no column", "another column", "not text", "a wide row", "empty"],
)
def test_what_is_wrong_with_a_file_is_told_in_polish(tmp_path: Path, content: bytes, options: tuple[str, ...]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    words = ("plan", path, "-c", "00001", "--state-dir", tmp_path / "state")
    _, polish = both(*words, *options, known=(path, "telefon", "tel", "name", "city"))
    assert not re.search(r"\b(the|columns are|row has|is not|holds)\b", polish)
