"""Who may work: leases with tokens, by the database's clock."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bulk_remove.errors import CampaignLockedError
from bulk_remove.ledger import shared
from bulk_remove.ledger.shared import Shared
from tests.support.postgres import Postgres, wait_until


def taken(holder: str) -> CampaignLockedError:
    return CampaignLockedError(holder, "")


@contextmanager
def shared_with(server: Postgres, url: str, lease_s: float) -> Iterator[tuple[Shared, Shared]]:
    Shared(url).close()
    server.ask(url, "UPDATE bulk_remove.setting SET lease_s = %s", lease_s)
    with closing(Shared(url)) as one, closing(Shared(url)) as other:
        yield one, other


def test_a_lease_that_is_renewed_is_refused_to_another_host(server: Postgres, url: str) -> None:
    with shared_with(server, url, 1.2) as (one, other):
        with one.lease(["campaign:x/1", "campaign:x/2"], taken):
            with pytest.raises(CampaignLockedError), other.lease(["campaign:x/2", "campaign:x/3"], taken):
                pass
            assert one.may_send()
            with other.lease(["campaign:x/3"], taken):  # what it was refused with the others is free
                pass
        with other.lease(["campaign:x/1", "campaign:x/2"], taken):
            assert other.may_send()


def test_a_silent_host_is_waited_for_and_its_token_is_worth_nothing_then(
    server: Postgres, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared_with(server, url, 1.2) as (one, other):
        monkeypatch.setattr(Shared, "_beat", lambda *_: None)  # as a process that was stopped
        with one.lease(["campaign:x/1"], taken):
            (mine,) = server.ask(url, "SELECT token FROM bulk_remove.lease")
            with other.lease(["campaign:x/1"], taken):
                (theirs,) = server.ask(url, "SELECT token FROM bulk_remove.lease")
                assert theirs > mine
                assert not one.may_send()
                with pytest.raises(CampaignLockedError, match="taken"):
                    one.ship("run", 1, [("INSERT", [[1]])])
                with pytest.raises(CampaignLockedError):
                    one.may_send()
        assert server.ask(url, "SELECT count(*) FROM bulk_remove.log") == [(0,)]


def test_a_host_that_was_away_for_longer_than_its_lease_keeps_it_where_nobody_took_it(
    server: Postgres, url: str
) -> None:
    with shared_with(server, url, 3.0) as (one, _):
        with one.lease(["campaign:x/1"], taken):
            server.ask(url, "UPDATE bulk_remove.lease SET until = '-infinity'")
            wait_until(lambda: server.ask(url, "SELECT until > clock_timestamp() FROM bulk_remove.lease") == [(True,)])
            assert one.may_send()
        assert server.ask(url, "SELECT count(*) FROM bulk_remove.lease") == [(0,)]


def test_the_lease_is_counted_from_before_it_was_asked_for(server: Postgres, url: str) -> None:
    with shared_with(server, url, 1000.0) as (one, _):
        began_us = shared._now_us()
        with one.lease(["campaign:x/1"], taken):
            assert began_us <= one._valid_until_us - 1_000_000_000 <= shared._now_us()
