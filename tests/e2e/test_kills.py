import os
from pathlib import Path

import pytest

from tests.torture.killing import torture


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_run_killed_again_and_again_ends_whole_and_true(tmp_path: Path) -> None:
    assert torture(tmp_path, kills=4, seed=1) >= 1
