from collections.abc import Iterator

import pytest

from tests.support.postgres import INITDB, Postgres, postgres


@pytest.fixture(scope="session", name="server")
def server_fixture() -> Iterator[Postgres]:
    if INITDB is None:
        pytest.skip("needs PostgreSQL: apt install postgresql")
    with postgres() as server:
        yield server


@pytest.fixture(name="url")
def url_fixture(server: Postgres) -> str:
    """The address of an empty database."""
    return server.database()
