"""Whatever is written as a workbook is read back exactly, or refused by name; see also test_reader_fuzz.py."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.support.fuzzed import Fuzzed, Tally, held_against
from tests.support.fuzzed_workbooks import Rows, fuzzed_workbooks, write
from tests.support.workbook_here import read_workbooks_here


@pytest.mark.hypothesis
def test_a_fuzzed_workbook_is_read_as_it_was_made_up_or_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_workbooks_here(monkeypatch)
    tally = Tally()

    @settings(max_examples=3 * settings().max_examples)
    @given(fuzzed_workbooks())
    def check(case: tuple[Fuzzed, Mapping[str, Rows]]) -> None:
        fuzzed, sheets = case
        path = tmp_path / fuzzed.name
        write(path, sheets)
        held_against(fuzzed, path, tally, exact_width=False)

    check()
    tally.check(least_share=0.6)
