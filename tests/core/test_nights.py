import pytest

from bulk_remove.core.summary import NIGHTS, FilePlace, ends_the_night, free_name, is_passing, place_of, worst
from bulk_remove.errors import ExitCode


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.csv",
        "~$open.xlsx",
        "a.csv.part",
        "a.csv.filepart",
        "a.partial",
        "a.temp",
        "a.download",
        "a.upload",
        ".a.swp",
        "a.csv.swp",
        "Desktop.ini",
        "a.csv.TMP",
        "a.csv~",
        "a.xlsx.crdownload",
        "Thumbs.db",
    ],
)
def test_a_name_that_says_it_is_passing_is_left_alone(name: str) -> None:
    assert is_passing(name)


@pytest.mark.parametrize(
    "name", ["a.csv", "part.csv", "tmp.xlsx", "a.part.csv", "opt-outs~2.csv", "counterpart", "afilepart", "~a.csv"]
)
def test_a_name_that_only_looks_like_it_is_taken(name: str) -> None:
    assert not is_passing(name)


@pytest.mark.parametrize(
    ("code", "resumable", "nights", "place"),
    [
        (ExitCode.OK, 0, 1, FilePlace.DONE),
        (ExitCode.NOT_FINAL, 3, 1, FilePlace.INBOX),
        (ExitCode.NOT_FINAL, 3, NIGHTS - 1, FilePlace.INBOX),
        (ExitCode.NOT_FINAL, 3, NIGHTS, FilePlace.FAILED),
        (ExitCode.NOT_FINAL, 0, 1, FilePlace.FAILED),
        (ExitCode.INPUT, 0, 0, FilePlace.FAILED),
        (ExitCode.GUARD, 0, 0, FilePlace.FAILED),
        (ExitCode.DEADLINE, 5, 0, FilePlace.INBOX),
        (ExitCode.UNAVAILABLE, 5, 0, FilePlace.INBOX),
        (ExitCode.REFUSED, 5, 0, FilePlace.INBOX),
        (ExitCode.TERMINATED, 5, 0, FilePlace.INBOX),
    ],
)
def test_a_file_stays_as_long_as_another_night_can_finish_it(
    code: ExitCode, resumable: int, nights: int, place: FilePlace
) -> None:
    assert place_of(code, resumable, nights) is place


def test_the_worst_of_some_codes_is_known_for_all_codes_there_are() -> None:
    assert worst([]) is ExitCode.OK
    assert worst([ExitCode.OK, ExitCode.INPUT, ExitCode.NOT_FINAL]) is ExitCode.INPUT
    assert worst([ExitCode.UNAVAILABLE, ExitCode.DEADLINE]) is ExitCode.UNAVAILABLE
    assert worst(ExitCode) is ExitCode.BUG


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.NOT_FINAL, ExitCode.INPUT, ExitCode.GUARD, ExitCode.LOCKED])
def test_what_is_wrong_with_one_file_does_not_end_the_night(code: ExitCode) -> None:
    assert not ends_the_night(code, one_campaign=True)


def test_a_refusal_ends_the_night_where_all_files_go_to_one_campaign() -> None:
    assert ends_the_night(ExitCode.REFUSED, one_campaign=True)
    assert not ends_the_night(ExitCode.REFUSED, one_campaign=False)


@pytest.mark.parametrize(
    "code", [ExitCode.UNAVAILABLE, ExitCode.DEADLINE, ExitCode.STORAGE, ExitCode.TERMINATED, ExitCode.HUNG_UP]
)
def test_what_would_befall_every_file_ends_the_night(code: ExitCode) -> None:
    assert ends_the_night(code, one_campaign=False)


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert free_name("a.csv", {"b.csv"}.__contains__) == "a.csv"
    assert free_name("a.csv.gz", {"a.csv.gz", "a.csv.2.gz"}.__contains__) == "a.csv.3.gz"
    assert free_name("a", {"a"}.__contains__) == "a.2"


def test_the_folders_have_the_names_that_the_guide_says() -> None:
    assert [*FilePlace] == ["inbox", "done", "failed"]


def test_two_nights_more_are_given_to_numbers_that_stay_open() -> None:
    assert [place_of(ExitCode.NOT_FINAL, 1, nights) for nights in (1, 2, 3)] == [
        FilePlace.INBOX,
        FilePlace.INBOX,
        FilePlace.FAILED,
    ]


@pytest.mark.parametrize(
    "end", ["part", "partial", "tmp", "temp", "filepart", "crdownload", "download", "upload", "swp"]
)
def test_an_end_of_a_name_counts_only_behind_a_dot(end: str) -> None:
    assert is_passing(f"a.{end}")
    assert not is_passing(f"a{end}")
