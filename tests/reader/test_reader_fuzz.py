"""Whatever is written as CSV is read back exactly, or refused by name; never something else.

The suite looks at some hundred files, always the same. To look at many others: make deep
"""

from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.support.fuzzed import Fuzzed, Tally, held_against
from tests.support.fuzzed_text import fuzzed_lists, fuzzed_tables


@pytest.mark.hypothesis
def test_a_fuzzed_csv_file_is_read_as_it_was_made_up_or_refused_by_name(tmp_path: Path) -> None:
    tally = Tally()

    @settings(max_examples=5 * settings().max_examples)
    @given(fuzzed_tables())
    def check(case: tuple[Fuzzed, bytes]) -> None:
        fuzzed, content = case
        path = tmp_path / fuzzed.name
        path.write_bytes(content)
        held_against(fuzzed, path, tally, exact_width=True)

    check()
    tally.check(least_share=0.6)


@pytest.mark.hypothesis
def test_a_fuzzed_list_without_a_header_is_read_as_it_was_made_up_or_refused_by_name(tmp_path: Path) -> None:
    tally = Tally()

    @given(fuzzed_lists())
    def check(case: tuple[Fuzzed, bytes]) -> None:
        fuzzed, content = case
        path = tmp_path / fuzzed.name
        path.write_bytes(content)
        held_against(fuzzed, path, tally, exact_width=True)

    check()
    tally.check(least_share=0.6)
