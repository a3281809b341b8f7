"""What reads CSV is tested twice: as a short file is read, by the csv module, and as a long one, by pandas."""

import pytest

_WORKBOOKS = ("workbook", "packed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test of a module about CSV read with both."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if module.startswith("test_reader") and not any(word in module for word in _WORKBOOKS):
        metafunc.fixturenames.append("_read_by")
        metafunc.parametrize("_read_by", ["csv", "pandas"], indirect=True)


@pytest.fixture(name="_read_by")
def read_by_fixture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every file long, or leave it short."""
    if request.param == "pandas":
        monkeypatch.setattr("bulk_remove.reader.csv._SHORT_BYTES", -1)
