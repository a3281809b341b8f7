"""Every row of every file in sample_data becomes what stands beside it in sample_data/expected.

The options with which a file is read are those in the table of sample_data/README.md, understood by the command itself.
"""

import csv
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import pytest

from bulk_remove.cli.commands import plan
from bulk_remove.cli.given import GivenSettings
from bulk_remove.core.spelling import EMPTY
from bulk_remove.errors import InputError
from bulk_remove.ledger import RowKeys
from bulk_remove.reader import find_files, open_table
from bulk_remove.run.intake import Intake
from bulk_remove.run.prepare import reading_of
from bulk_remove.settings import Settings
from tests.support.make_samples import EXPECTED, SAMPLES, expectation_of, made
from tests.support.processes import bulk_remove
from tests.support.samples.tables import BLOCK, INVALID, Expected

ROW = re.compile(r"^\| `([^`]+)` \| (?:`([^`]*)`)? ?\|", re.MULTILINE)
OPTIONS = dict(ROW.findall((SAMPLES / "README.md").read_text(encoding="utf-8")))
FOLDERS = ("csv", "workbooks", "packed")
READING = {"--column", "--no-header", "--delimiter", "--encoding", "--trust-column", "--sheet"}
"""The options without which a file that needs them is refused as a whole, or read otherwise."""


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def settings_of(options: str) -> Settings:
    words = shlex.split(options)
    campaign = [] if "--campaign-column" in words else ["-c", "00001"]
    with plan.make_context("plan", ["FILE", *words, *campaign]) as context, context:
        return GivenSettings.of(context.params).settings()


def became(name: str, settings: Settings, folder: Path) -> list[Expected]:
    """Read a sample as a run does; the campaign is empty where it is the same for all rows."""
    table = open_table(str(SAMPLES / name), reading_of(settings, folder))
    intake = Intake(settings, settings.rules, lambda _: None, show_numbers=True)
    with RowKeys(folder / "keys") as keys:
        return [
            Expected(row, cell, number or INVALID, "" if settings.campaign else campaign, block.problems.get(index, ""))
            for block in intake.through(table.source, table.blocks(), keys)
            for index, (row, cell, number, campaign) in enumerate(
                zip(block.rows.rows, block.rows.cells, block.numbers, block.campaigns, strict=True)
            )
        ]


def expected_of(name: str) -> list[Expected]:
    with expectation_of(name).open(encoding="utf-8", newline="") as file:
        return [Expected(int(line.pop("row")), **line) for line in csv.DictReader(file)]


def test_every_sample_has_an_expectation_and_a_row_in_the_table_and_the_other_way_round() -> None:
    samples = {name for name in files_under(SAMPLES) if not name.startswith("expected/")} - {"README.md"}
    assert {f"{name}.csv" for name in samples} == files_under(EXPECTED)
    assert samples == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_row_of_a_sample_becomes_what_stands_beside_it(tmp_path: Path, name: str) -> None:
    expected, settings = expected_of(name), settings_of(OPTIONS[name])
    for found, wanted in zip_longest(became(name, settings, tmp_path), expected):
        assert found == wanted
    invalid = sum(row.becomes == INVALID and row.detail != EMPTY for row in expected)
    assert invalid <= settings.max_invalid * len(expected), "a plan with these options would be stopped"


@pytest.mark.parametrize("name", [name for name, words in OPTIONS.items() if READING & set(shlex.split(words))])
def test_a_sample_that_needs_an_option_is_refused_without_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_table(str(SAMPLES / name), reading_of(settings_of(""), tmp_path))
    assert caught.value.sentence.startswith(str(SAMPLES / name))
    assert caught.value.hint


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_a_folder_of_samples_is_planned_as_a_whole(tmp_path: Path, folder: str) -> None:
    files = find_files([str(SAMPLES / folder)]).files
    words = () if folder else ("--max-invalid", "10%", "--internal-numbers")
    done = bulk_remove(
        "plan", SAMPLES / folder, "-c", "00001", "--json", "--show-numbers", "--state-dir", tmp_path, *words
    )
    assert done.returncode == 0, done.stderr
    planned = json.loads(done.stdout)
    rows = [expected_of(Path(file).relative_to(SAMPLES).as_posix()) for file in files]
    for found, wanted in zip_longest(planned["files"], rows):
        reasons = Counter(row.detail for row in wanted if row.detail)
        empty = reasons.pop(EMPTY, 0)
        assert (found["rows"], found["empty"]) == (len(wanted), empty), found["file"]
        assert found["invalid_by_reason"] == dict(reasons), found["file"]
        samples = [(sample["row"], sample["cell"], sample["became"]) for sample in found["samples"]]
        assert samples == [(row.row, row.input, row.detail or row.becomes) for row in wanted[: len(samples)]]
        assert len(samples) == 5
    assert planned["numbers"] == len(set(numbers_of(row for wanted in rows for row in wanted)))


def numbers_of(rows: Iterable[Expected]) -> list[str]:
    return [row.becomes for row in rows if row.becomes != INVALID]


def test_the_samples_are_those_that_the_script_writes() -> None:
    oldest = {name for name in OPTIONS if "/" not in name}
    assert {sample.name for sample in made()} == set(OPTIONS) - oldest
    for sample in made():
        assert expected_of(sample.name) == list(sample.expected), sample.name
        if isinstance(sample.content, bytes) and not sample.name.startswith("packed/"):
            assert (SAMPLES / sample.name).read_bytes() == sample.content, sample.name


def test_the_samples_are_small_and_their_numbers_are_made_up() -> None:
    for name in OPTIONS:
        assert (SAMPLES / name).stat().st_size < 60_000
        assert 20 <= len(expected_of(name)) <= 62
        if "/" in name:
            assert {int(number) for number in numbers_of(expected_of(name))} <= set(BLOCK), name
