from collections.abc import Iterator

import pytest

from bulk_remove.language import load_language, use


@pytest.fixture(autouse=True)
def _english_fixture() -> Iterator[None]:
    """A page speaks one language in its whole process, so that of one test must not be that of the next."""
    use(load_language("en"))
    yield
    use(load_language("en"))
