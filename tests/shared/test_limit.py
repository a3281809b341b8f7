"""Departures that the database grants: one limit for each account."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from bulk_remove.ledger import shared as shared_module
from bulk_remove.ledger.shared import Shared
from tests.support.postgres import Postgres, wait_until

DEPART = "SELECT cardinality(granted), wait_s FROM bulk_remove.depart(%s, %s, %s, %s, %s, %s)"


@pytest.fixture(name="made")
def made_fixture(url: str) -> str:
    Shared(url).close()
    return url


def test_a_run_that_is_alone_gets_a_batch_and_two_get_one_each(server: Postgres, made: str) -> None:
    assert server.ask(made, DEPART, "a", "one", 100.0, 3, 0.1, []) == [(3, 0.0)]
    assert server.ask(made, DEPART, "a", "two", 100.0, 3, 0.1, []) == [(1, 0.0)]
    assert server.ask(made, DEPART, "a", "one", 100.0, 3, 0.1, []) == [(1, 0.0)]


def test_no_more_than_the_lowest_limit_leave_in_a_window_whoever_asks(server: Postgres, made: str) -> None:
    server.ask(made, DEPART, "a", "slow", 2.0, 1, 1000.0, [])
    server.ask(made, DEPART, "a", "fast", 50.0, 40, 1000.0, [])
    ((granted, wait_s),) = server.ask(made, DEPART, "a", "fast", 50.0, 40, 1000.0, [])
    assert granted == 0
    assert 900 < wait_s < 1001


def test_what_is_given_back_may_be_granted_again(server: Postgres, made: str) -> None:
    (one,) = server.ask(made, "SELECT granted FROM bulk_remove.depart('a', 'one', 1.0, 1, 1000.0, '{}')")[0]
    assert server.ask(made, DEPART, "a", "one", 1.0, 1, 1000.0, [])[0][0] == 0
    assert server.ask(made, DEPART, "a", "one", 1.0, 1, 1000.0, one) == [(1, 0.0)]


def test_two_accounts_do_not_wait_for_each_other(server: Postgres, made: str) -> None:
    with psycopg.connect(made) as busy:  # a transaction, so it holds what the first account's runs wait for
        busy.execute(DEPART, ("a", "one", 1.0, 1, 1000.0, []))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(server.ask, made, DEPART, "a", "two", 1.0, 1, 1000.0, [])
            assert server.ask(made, DEPART, "b", "three", 1.0, 1, 1000.0, []) == [(1, 0.0)]
            assert not waiting.done()
            busy.rollback()
            assert waiting.result(timeout=30) == [(1, 0.0)]


def test_a_grant_that_is_not_used_at_once_is_worth_nothing(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now_us, later_us = shared_module._now_us, [0]
    monkeypatch.setattr(shared_module, "_now_us", lambda: now_us() + later_us[0])
    with closing(Shared(made)) as shared, shared.account("host", "user", 1.0) as account:
        assert account.depart(0) > 0
        wait_until(lambda: account._grants)
        later_us[0] += shared_module._GOOD_US + 1
        assert account.depart(0) > 0
        wait_until(lambda: account.depart(0) == 0)  # it was given back, else this would take a second and more
