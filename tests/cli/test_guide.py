"""`bulk-remove` without words at a terminal: it asks for everything, and is `run` then."""

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove.run.places import stem_of
from bulk_remove.simulator.api import DEMO_PASSWORD
from bulk_remove.simulator.server import read_audit
from tests.docs.pages import ROOT
from tests.support.processes import Running, bulk_remove, environment, simulator
from tests.support.terminal import Sitting, at_a_terminal, sitting

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

FILE, COLUMN, CAMPAIGN, QUESTION = "File with the numbers", "Enter if this is right", "Campaign, by", "n to stop:"
NUMBERS = [str(601_000_000 + index) for index in range(120)]


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="env")
def env_fixture(tmp_path: Path, server: Running) -> dict[str, str]:
    (tmp_path / "secret").write_text(DEMO_PASSWORD, encoding="utf-8")
    file = tmp_path / "config.toml"
    file.write_text(
        f'[profile.acme]\nurl = "{server.url}"\nuser = "demo"\npassword_file = "secret"\npace = "fixed"\n'
        "max_numbers_per_request = 60\n",
        encoding="utf-8",
    )
    for path in (tmp_path / "secret", file):
        path.chmod(0o600)
    state = str(tmp_path / "state")
    return environment(BULK_REMOVE_CONFIG=str(file), BULK_REMOVE_PASSWORD="", BULK_REMOVE_STATE_DIR=state)


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "in" / "opt-outs.csv"
    source.parent.mkdir()
    rows = "\n".join(f"Jan,{number},{600_000_000 + place}" for place, number in enumerate(NUMBERS))
    source.write_text(f"imię,telefon,telefon2\n{rows}\n".replace("telefon2", "opiekun"), encoding="utf-8")
    return source


def asked(server: Running) -> list[str]:
    return [number for entry in read_audit(server.audit) if entry.method == "DELETE" for number in entry.asked]


def answered(at: Sitting, *answers: tuple[str, str]) -> None:
    for question, answer in answers:
        at.until(question)
        at.type(f"{answer}\n")


def test_a_whole_purge_step_by_step(server: Running, env: dict[str, str], numbers: Path) -> None:
    typed = f"{numbers.parent}/opt\t"  # Tab completes the rest
    with sitting(env=env) as at:
        answered(at, (FILE, typed), (COLUMN, ""), (CAMPAIGN, "stand-in"), (QUESTION, "120"), ("60 numbers that", "yes"))
        assert at.ended() == 0, at.shown
    assert "row 2: 601000000" in at.shown
    assert "1 'imię', 2 'telefon', 3 'opiekun'" in at.shown
    assert "The same as: bulk-remove run " in " ".join(at.shown.split())
    assert "opt-outs.report.csv" in at.shown
    assert sorted(asked(server)) == NUMBERS
    made = {path.name for path in numbers.parent.iterdir()} - {"opt-outs.csv"}
    assert made == {"opt-outs.report.csv", "opt-outs.report.html", "opt-outs.report.summary.json"}
    with (numbers.parent / "opt-outs.report.csv").open(encoding="utf-8", newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"REMOVED"}


@pytest.mark.parametrize("typed", ["", "all"])
def test_all_campaigns_of_a_profile_are_kept(env: dict[str, str], numbers: Path, typed: str) -> None:
    with Path(env["BULK_REMOVE_CONFIG"]).open("a", encoding="utf-8") as file:
        file.write('campaign = "all"\n')
    with sitting(env=env) as at:
        answered(at, (FILE, ""), (FILE, str(numbers)), (COLUMN, ""), (CAMPAIGN, typed), (QUESTION, "n"))
        assert at.ended() == 5, at.shown
    assert "--campaign all" in " ".join(at.shown.split())
    assert "There is no file" not in at.shown


def test_a_wrong_file_is_said_and_a_wrong_column_is_corrected(
    server: Running, env: dict[str, str], numbers: Path
) -> None:
    broken = numbers.with_name("broken.xlsx")
    broken.write_bytes(b"not a workbook")
    with sitting(env=env) as at:
        answered(at, (FILE, f"{numbers}.nowhere"))
        at.until("There is no file")
        answered(at, (FILE, str(broken)), ("Enter for another file", ""), (FILE, f"'{numbers}'"), (COLUMN, "none such"))
        at.until("There is no column")
        answered(at, ("The column (name or position)", "opiekun"))
        at.until("row 2: 600000000")
        answered(at, (COLUMN, "2"))
        at.until("row 2: 601000000")
        answered(at, (COLUMN, ""), (CAMPAIGN, "99999"))
        at.until("No campaign matches.")
        answered(at, (CAMPAIGN, "1"), (QUESTION, "n"))
        assert at.ended() == 5, at.shown
    assert "Not confirmed: nothing was sent." in at.shown
    assert "Traceback" not in at.shown
    assert asked(server) == []
    assert not numbers.with_name("opt-outs.report.csv").exists()


def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(env: dict[str, str]) -> None:
    with sitting(env=env) as at:
        for name in ("x" * 300, "~nobody-here/opt-outs.csv", "'~nobody-here'"):
            answered(at, (FILE, name))
            at.until("There is no file")
        at.until(FILE)
        at.type("\x04")
        assert at.ended() == 130, at.shown


IN_POLISH = ("Plik z numerami", "Kolumna (nazwa", "Enter, je", "arkusz", "plik")


@pytest.mark.parametrize(
    ("language", "texts"), [("en", (FILE, "The column (name", COLUMN, "sheet", "file")), ("pl", IN_POLISH)]
)
def test_a_sheet_is_chosen_by_its_name_in_the_language_in_use(
    env: dict[str, str], tmp_path: Path, language: str, texts: tuple[str, ...]
) -> None:
    file, column, right, sheet, other = texts
    workbook = tmp_path / "two lists.xlsx"
    shutil.copy(ROOT / "sample_data" / "options" / "two_lists.xlsx", workbook)
    with sitting("--lang", language, env=env) as at:
        answered(at, (file, str(workbook).replace(" ", "\\ ")), (column, f"{sheet} Sprzeciwy"))
        at.until("'Sprzeciwy'")
        answered(at, (right, other))
        at.until(file)
        assert at.left_with("\x04") == 130, at.shown


@pytest.mark.parametrize("leaves", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
@pytest.mark.parametrize("place", range(3))
def test_leaving_before_the_question_removes_nothing_and_says_so(
    server: Running, env: dict[str, str], numbers: Path, place: int, leaves: str
) -> None:
    steps = ((FILE, str(numbers)), (COLUMN, ""), (CAMPAIGN, "1"))
    with sitting(env=env) as at:
        answered(at, *steps[:place])
        at.until(steps[place][0])
        at.until("Ctrl-C leaves")
        assert at.left_with(leaves) == 130, at.shown
        assert at.takes_lines
    assert "Stopped: nothing was sent." in at.shown
    assert asked(server) == []
    assert [path.name for path in numbers.parent.iterdir()] == [numbers.name]


def test_the_end_of_input_at_the_question_is_a_no(server: Running, env: dict[str, str], numbers: Path) -> None:
    with sitting(env=env) as at:
        answered(at, (FILE, str(numbers)), (COLUMN, ""), (CAMPAIGN, "1"))
        at.until(QUESTION)
        at.type("\x04\x04\x04")
        assert at.ended() in {5, 130}, at.shown
    assert "nothing was sent" in at.shown
    assert asked(server) == []


def test_without_a_profile_it_offers_to_set_one_up_and_goes_on(
    server: Running, env: dict[str, str], numbers: Path, tmp_path: Path
) -> None:
    env |= {"BULK_REMOVE_CONFIG": str(tmp_path / "new" / "config.toml")}
    with sitting(env=env) as at:
        answered(at, ("password now?", ""), ("Language (", ""), ("System (NAME", server.url), ("API user", "demo"))
        answered(at, ("Password of", DEMO_PASSWORD), ("Campaign, or -", "1"))
        answered(at, (FILE, str(numbers)), (COLUMN, ""), (CAMPAIGN, ""), (QUESTION, "120"))
        assert at.ended() == 0, at.shown
    assert sorted(asked(server)) == NUMBERS


def test_the_page_offers_to_set_up_a_profile_first(server: Running, env: dict[str, str]) -> None:
    Path(env["BULK_REMOVE_CONFIG"]).write_text("", encoding="utf-8")
    with sitting("ui", "--no-browser", env=env) as at:
        answered(at, ("password now?", ""), ("Language (", ""), ("System (NAME", server.url), ("API user", "demo"))
        answered(at, ("Password of", DEMO_PASSWORD), ("Campaign, or -", "1"))
        at.until("The page: http://127.0.0.1:")
        at.until("The link works once")
        assert at.left_with("\x03") == 0, at.shown


def test_the_language_may_be_the_only_word(env: dict[str, str]) -> None:
    with Path(env["BULK_REMOVE_CONFIG"]).open("a", encoding="utf-8") as file:
        file.write('lang = "en"\n')
    with sitting("--lang", "pl", env=env) as at:
        at.until("Plik z numerami")
        at.type("nowhere.csv\n")
        at.until("Nie ma pliku")
        assert at.left_with("\x03") == 130


def test_nobody_is_set_up_who_says_no(env: dict[str, str], tmp_path: Path) -> None:
    env |= {"BULK_REMOVE_CONFIG": str(tmp_path / "new" / "config.toml")}
    with sitting(env=env) as at:
        answered(at, ("password now?", "no"))
        assert at.ended() == 2, at.shown
    assert not (tmp_path / "new").exists()


def test_a_profile_without_a_password_is_offered_to_be_set_up(
    env: dict[str, str], server: Running, tmp_path: Path
) -> None:
    file = Path(env["BULK_REMOVE_CONFIG"])
    file.write_text(f'[profile.acme]\nurl = "{server.url}"\nuser = "demo"\n', encoding="utf-8")
    with sitting(env=env) as at:
        at.until("No password is given.")
        answered(at, ("password now?", ""), ("Language (", ""), ("System (NAME", ""), ("API user [demo]", ""))
        answered(at, ("Password of", DEMO_PASSWORD), ("Campaign, or -", ""))
        at.until(FILE)
        assert at.left_with("\x03") == 130, at.shown
    assert "[profile.acme]\n" in file.read_text(encoding="utf-8")
    assert (tmp_path / "acme-password").is_file()


def test_several_profiles_are_offered_by_name(env: dict[str, str]) -> None:
    with Path(env["BULK_REMOVE_CONFIG"]).open("a", encoding="utf-8") as file:
        file.write('[profile.beta]\nsystem = "beta"\n')
    with sitting(env=env) as at:
        answered(at, ("Profile (acme, beta) [acme]", "gamma"))
        at.until("There is no profile 'gamma'.")
        answered(at, ("Profile (acme, beta) [acme]", ""))
        at.until(FILE)
        assert at.left_with("\x03") == 130


def test_without_a_terminal_there_is_help_and_guide_names_the_other_ways(env: dict[str, str]) -> None:
    done = bulk_remove(env=env)
    assert done.returncode == 2
    assert "Usage: bulk-remove" in done.stdout + done.stderr
    done = bulk_remove("guide", env=env)
    assert (done.returncode, "There is no terminal to ask at." in done.stderr) == (2, True)


def run_of(numbers: Path, *more: str) -> list[str]:
    return ["run", str(numbers), "-c", "00001", "--profile", "acme", *more]


def test_a_person_finds_the_report_beside_the_file_and_no_file_is_replaced(env: dict[str, str], numbers: Path) -> None:
    theirs = numbers.with_name("opt-outs.report.html")
    theirs.write_text("mine", encoding="utf-8")
    for name in ("opt-outs.report-2", "opt-outs.report-3"):
        shown, code = at_a_terminal(run_of(numbers), (QUESTION, "120\n"), env=env)
        assert code == 0, shown
        assert f"{name}.csv" in "".join(shown.split())
        assert numbers.with_name(f"{name}.html").is_file()
    assert theirs.read_text(encoding="utf-8") == "mine"


def test_a_named_output_and_formats_are_as_they_were_typed(env: dict[str, str], numbers: Path, tmp_path: Path) -> None:
    shown, code = at_a_terminal(run_of(numbers, "-o", str(tmp_path / "r.csv")), (QUESTION, "120\n"), env=env)
    assert code == 0, shown
    assert (tmp_path / "r.csv").is_file()
    assert not (tmp_path / "r.html").exists()
    assert [path.name for path in numbers.parent.iterdir()] == [numbers.name]


def test_without_a_question_the_report_is_in_the_runs_folder(env: dict[str, str], numbers: Path) -> None:
    for run in (
        bulk_remove(*run_of(numbers, "--yes"), env=env).returncode,
        at_a_terminal(run_of(numbers, "--yes"), env=env)[1],
    ):
        assert run == 0
    assert [path.name for path in numbers.parent.iterdir()] == [numbers.name]


def test_where_no_report_can_be_beside_the_file_it_is_in_the_runs_folder(env: dict[str, str], tmp_path: Path) -> None:
    numbers = tmp_path / f"{'n' * 250}.csv"  # the report's name would be too long
    numbers.write_text("telefon\n601000000\n", encoding="utf-8")
    shown, code = at_a_terminal(run_of(numbers), (QUESTION, "yes\n"), env=env)
    assert code == 0, shown
    assert str(tmp_path / "state") in "".join(shown.split())


def test_several_files_have_one_report_in_the_runs_folder(env: dict[str, str], numbers: Path) -> None:
    more = numbers.with_name("more.csv")
    more.write_text("telefon\n602345678\n", encoding="utf-8")
    shown, code = at_a_terminal(run_of(numbers, str(more)), (QUESTION, "121\n"), env=env)
    assert code == 0, shown
    assert {path.name for path in numbers.parent.iterdir()} == {numbers.name, more.name}


def test_the_name_of_the_report_leaves_out_the_kind_of_file() -> None:
    wanted = {"a.csv": "a", "a.CSV.GZ": "a", "lista.2026.xlsx": "lista.2026", "a.csv.zip": "a", ".csv": ".csv"}
    assert {name: stem_of(name) for name in wanted} == wanted
