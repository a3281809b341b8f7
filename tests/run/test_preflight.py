"""What is asked of a campaign beforehand, and what is made of whatever the server answers."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bulk_remove.core.numbers import AlsoTry, Rest
from bulk_remove.core.replies import Document, Effect, Fault, fault_of_status
from bulk_remove.errors import RefusedError, UnavailableError
from bulk_remove.run.preflight import (
    MORE_PAGES,
    Findings,
    Glance,
    count_after,
    csv_campaigns,
    inspect_campaigns,
    list_campaigns,
)
from tests.support.virtual_time import VirtualLoop, run_virtually

Numbers = Sequence[object]
PL = Glance("PL")
NATIONAL, PLUS = AlsoTry.NATIONAL, AlsoTry.PLUS


class Asker:
    """Answers each target by a function of its path and its offset; remembers what was asked."""

    def __init__(self, answer: Callable[[str, int, int], object], took_s: Sequence[float] = ()) -> None:
        self._answer = answer
        self._took_s = [*took_s]
        self.asked: list[str] = []
        self.asked_names = 0
        self.names: object = None

    async def get(self, target: str, _now_s: float) -> Document | Fault:
        parts = urlsplit(target)
        if parts.path.endswith("/api/outbounds"):
            self.asked_names += 1
            return Document(self.names, None) if isinstance(self.names, list) else fault(403)
        self.asked.append(target)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        if self._took_s:
            await asyncio.sleep(self._took_s.pop(0))
        found = self._answer(parts.path, query.get("limit", 0), query.get("offset", 0))
        return found if isinstance(found, Fault) else Document(found, None)


def listing(numbers: Numbers) -> Callable[[str, int, int], object]:
    """Return a server whose every campaign has records with these numbers, and no statistics."""

    def answer(path: str, limit: int, offset: int) -> object:
        if path.endswith("/stats"):
            return fault(403)
        page = numbers[offset : offset + min(limit, 100)]
        return {"count": len(numbers), "result": [{"record_id": 1, "phone_number": number} for number in page]}

    return answer


def fault(status: int, body: bytes = b"") -> Fault:
    return fault_of_status(status, body, None)


def looked(asker: Asker, *campaigns: str, glance: Glance | None = PL, base_path: str = "") -> Findings:
    loop = VirtualLoop(0.0, lambda: None)
    return run_virtually(inspect_campaigns(asker, base_path, campaigns or ("00001",), lambda: 0.0, glance), loop)


def offsets(asker: Asker) -> list[int]:
    return [int(target.partition("offset=")[2]) for target in asker.asked]


@pytest.mark.parametrize(
    ("count", "pages"),
    [
        (0, [0]),
        (1, [0]),
        (100, [0]),
        (101, [0, 100]),
        (200, [0, 100]),
        (201, [0, 200, 100]),
        (300, [0, 200, 100]),
        (301, [0, 201, 100]),
        (1_000, [0, 900, 450]),
        (1_000_000, [0, 999_900, 499_950]),
    ],
)
def test_the_first_the_middle_and_the_last_page_are_looked_at_and_no_record_twice(count: int, pages: list[int]) -> None:
    asker = Asker(listing(range(600_000_000, 600_000_000 + count)))
    found = looked(asker)
    assert offsets(asker) == pages
    assert found.records == {"00001": count}
    assert sum(found.held.get("00001", {}).values()) == min(count, 100 * len(pages))
    assert found.notes == ()


@pytest.mark.parametrize(("pages", "asked"), [(1, [0]), (2, [0, 900]), (3, [0, 900, 450])])
def test_no_more_pages_are_asked_for_than_may_be(pages: int, asked: list[int]) -> None:
    asker = Asker(listing(["601234555"] * 1000))
    looked(asker, glance=Glance("PL", pages))
    assert offsets(asker) == asked


def test_forms_that_stand_far_apart_are_all_found() -> None:
    numbers = ["601234555"] * 100 + ["+48601234555"] * 100 + ["441"] * 100
    assert looked(Asker(listing(numbers))).held == {"00001": {NATIONAL: 100, PLUS: 100, Rest.INTERNAL: 100}}


def test_the_list_is_below_the_path_of_the_system() -> None:
    asker = Asker(listing(["601234555"]))
    looked(asker, base_path="/crm/acme")
    assert asker.asked == ["/crm/acme/api/outbounds/00001/records?limit=100&offset=0"]


def test_where_only_the_count_is_wanted_a_single_record_is_asked_for() -> None:
    asker = Asker(listing(["601234555"] * 1000))
    found = looked(asker, glance=None)
    assert (found.records, found.held) == ({"00001": 1000}, {})
    assert asker.asked == ["/api/outbounds/00001/records?limit=1&offset=0"]


async def test_the_count_afterwards_costs_one_request_a_campaign() -> None:
    asker = Asker(listing(["601234555"] * 1000))

    async def turn() -> bool:
        return True

    counts, note = await count_after(asker, "", ("00001", "00002"), lambda: 0.0, turn)
    assert (counts, note, len(asker.asked)) == ({"00001": 1000, "00002": 1000}, "", 2)


def test_with_many_campaigns_the_first_page_of_each_is_looked_at_and_that_is_said() -> None:
    asker = Asker(listing(["601234555"] * 1000))
    campaigns = [f"{place:05}" for place in range(100)]
    found = looked(asker, *campaigns)
    assert len(asker.asked) == 100 + MORE_PAGES
    assert [*found.held] == campaigns
    assert found.notes == ("There are many campaigns, so for most of them only the first page of records was read.",)


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (fault(403), "This API user may not list records"),
        (fault(400, b'{"request_id": "5367", "errors": [{"message": "Wrong limit.", "code": 1}]}'), "Wrong limit."),
        (fault(422), "The server does not list the records"),
        ([], "The server's list of records is not as documented"),
        ({"result": []}, "The server's list of records is not as documented"),
        ({"count": "12", "result": None}, "The server's list of records is not as documented"),
        ({"count": -1}, "The server's list of records is not as documented"),
        ({"count": True}, "The server's list of records is not as documented"),
        ({"count": 10**30}, "The server's list of records is not as documented"),
        ("<html>", "The server's list of records is not as documented"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_and_the_run_goes_on_without(answer: object, note: str) -> None:
    found = looked(Asker(lambda path, _limit, _offset: fault(403) if path.endswith("/stats") else answer))
    assert (found.records, found.held) == ({}, {})
    assert note in found.notes[0]
    assert found.notes[1] == "The statistics do not include a record count either."


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fault(401), RefusedError),
        (fault(404), RefusedError),
        (fault(500), UnavailableError),
        (Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time."), UnavailableError),
    ],
)
def test_a_server_that_lets_nobody_in_ends_it_as_before(answer: Fault, error: type[Exception]) -> None:
    with pytest.raises(error):
        looked(Asker(lambda *_: answer))


ODD_RECORDS: list[Any] = [
    {"phone_number": 601234555},
    {"phone_number": "601234555", "record_id": [1]},
    {"phone_number": None},
    {"phone_number": {"a": 1}},
    {"phone_number": ["601234555"]},
    {"phone_number": "9" * 100_000},
    {"record_id": 7},
    "601234555",
    None,
    [],
]


def test_whatever_stands_in_a_list_is_counted_or_passed_over() -> None:
    found = looked(Asker(lambda *_: {"count": 10, "result": ODD_RECORDS}))
    assert found.held == {"00001": {NATIONAL: 2, Rest.NO_NUMBER: 4}}
    nothing = looked(Asker(lambda *_: {"count": 10, "result": [{"id": 1}] * 10}))
    assert (nothing.held, nothing.records) == ({}, {"00001": 10})


def test_of_a_page_that_is_larger_than_asked_for_a_hundred_records_are_looked_at() -> None:
    found = looked(Asker(lambda *_: {"count": 50, "result": [{"phone_number": "601234555"}] * 50_000}))
    assert found.held == {"00001": {NATIONAL: 100}}


@pytest.mark.parametrize("count", [0, 1, 250, 10**12])
def test_a_count_that_lies_leads_to_three_requests_at_most(count: int) -> None:
    asker = Asker(lambda _path, _limit, offset: {"count": count, "result": [{"phone_number": "441"}] * (not offset)})
    assert looked(asker).held == {"00001": {Rest.INTERNAL: 1}}
    assert len(asker.asked) <= 3


def test_a_list_of_nothing_is_not_asked_for_another_page() -> None:
    asker = Asker(lambda *_: {"count": 1_000_000, "result": []})
    assert (looked(asker).held, len(asker.asked)) == ({}, 1)


@pytest.mark.parametrize("later", [fault(500), fault(403), fault(429), {"count": 3, "result": []}, "<html>", None])
def test_a_list_that_changes_between_its_pages_counts_as_far_as_it_was_seen(later: object) -> None:
    numbers = [{"phone_number": "601234555"}] * 100
    asker = Asker(lambda _path, _limit, offset: later if offset else {"count": 1000, "result": numbers})
    found = looked(asker)
    assert (found.records, found.held) == ({"00001": 1000}, {"00001": {NATIONAL: 100}})
    assert len(asker.asked) == (2 if isinstance(later, Fault) else 3)


@pytest.mark.parametrize(("took_s", "pages"), [(1.0, 3), (30.0, 1)])
def test_a_slow_list_is_not_asked_for_more(took_s: float, pages: int) -> None:
    asker = Asker(listing(["601234555"] * 1000), [took_s] * 3)
    assert looked(asker).records == {"00001": 1000}
    assert len(asker.asked) == pages


def test_a_list_that_becomes_slow_is_left_alone() -> None:
    asker = Asker(listing(["601234555"] * 1000), (0.0, 30.0))
    looked(asker)
    assert len(asker.asked) == 2


@pytest.mark.parametrize(
    "stats",
    [
        [{"id": ["00001"], "records_count": 7}, {"id": "00001", "records_count": 5}],
        [None, 7, {"id": "00001", "records_count": 5}],
    ],
)
def test_statistics_are_read_past_what_is_not_as_documented(stats: object) -> None:
    found = looked(Asker(lambda path, *_: stats if path.endswith("/stats") else fault(403)))
    assert found.records == {"00001": 5}


@pytest.mark.parametrize("count", ["5", True, -5, None, [5]])
def test_a_count_that_is_none_is_not_taken_from_the_statistics(count: object) -> None:
    stats = [{"id": "00001", "records_count": count}]
    assert looked(Asker(lambda path, *_: stats if path.endswith("/stats") else fault(403))).records == {}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([{"id": "00001", "name": "Opt-outs"}, {"id": "00003", "name": "Other"}], {"00001": "Opt-outs"}),
        ([{"id": "00001", "name": 7}, {"id": "00002", "name": " "}, "odd", {}], {}),
        ([], {}),
        (None, {}),
    ],
)
def test_the_campaigns_are_asked_for_their_names_once_and_done_without_them(
    names: object, found: dict[str, str]
) -> None:
    asker = Asker(listing([]))
    asker.names = names
    assert looked(asker, "00001", "00002").names == found
    assert asker.asked_names == 1
    without = Asker(listing([]))
    assert looked(without, "00001", glance=None).names == {}
    assert without.asked_names == 0


class Lister:
    """Answers the two calls that list campaigns."""

    def __init__(self, campaigns: object, statistics: object) -> None:
        self._answers = {"/api/outbounds": campaigns, "/api/outbounds/stats": statistics}

    async def get(self, target: str, _now_s: float) -> Document | Fault:
        found = self._answers[target]
        return found if isinstance(found, Fault) else Document(found, None)


def listed(campaigns: object, statistics: object) -> list[tuple[object, ...]]:
    loop = VirtualLoop(0.0, lambda: None)
    return [tuple(each) for each in run_virtually(list_campaigns(Lister(campaigns, statistics), "", 0.0), loop)]


def test_campaigns_are_listed_by_name_with_their_records_as_far_as_the_server_tells() -> None:
    named = [{"id": "00002", "name": "Winback"}, {"id": "00001", "name": "Autumn"}, {"id": "00003", "name": None}]
    counts = [{"id": "00001", "records_count": 1324}, {"id": "00004", "records_count": 2}]
    whole = [("00003", "", None), ("00004", "", 2), ("00001", "Autumn", 1324), ("00002", "Winback", None)]
    assert listed(named, counts) == whole
    assert listed(named[:1], fault(403)) == [("00002", "Winback", None)]
    assert listed(fault(404), counts[:1]) == [("00001", "", 1324)]
    assert listed(fault(403), fault(400)) == []


@pytest.mark.parametrize(
    "odd", [None, {}, "00001", [None, 1, [], {"name": "x"}, {"id": "../00001"}, {"id": ["00001"]}]]
)
def test_a_list_of_campaigns_that_is_none_lists_nothing(odd: object) -> None:
    assert listed(odd, odd) == []
    assert listed([{"id": "00001", "name": 7}], [{"id": "00001", "records_count": -1}]) == [("00001", "", None)]


def test_a_wrong_password_and_a_server_out_of_reach_are_said_and_not_taken_for_an_empty_list() -> None:
    with pytest.raises(RefusedError, match="user"):
        listed(fault(401), fault(401))
    with pytest.raises(UnavailableError):
        listed([], fault(502))


def apart(names: object, answer: Callable[[str, int, int], object]) -> tuple[list[str], list[str]]:
    asker, loop = Asker(answer), VirtualLoop()
    asker.names = names
    own, others = run_virtually(csv_campaigns(asker, "", lambda: 0.0), loop)
    return [each.campaign for each in own], [each.campaign for each in others]


NAMED = [{"id": each, "name": f"n{each}"} for each in ("00001", "00002", "../..", "1", "00003", None, "?id[]=00001")]


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_campaign_of_another_kind_is_told_apart_and_a_hostile_identifier_is_never_asked_for(status: int) -> None:
    own = listing(["601234555"])
    answers = lambda path, limit, offset: fault(status) if "/00002/" in path else own(path, limit, offset)  # noqa: E731
    assert apart([*NAMED, 7, None], answers) == (["00001", "00003"], ["00002"])


def test_who_may_list_campaigns_but_no_records_may_still_ask_in_all() -> None:
    assert apart(NAMED, lambda *_: fault(403)) == (["00001", "00002", "00003"], [])


@pytest.mark.parametrize(("status", "kind"), [(401, RefusedError), (503, UnavailableError)])
def test_a_server_that_fails_meanwhile_leaves_no_campaign_out(status: int, kind: type[Exception]) -> None:
    own = listing(["601234555"])
    with pytest.raises(kind):
        apart(NAMED, lambda path, limit, offset: fault(status) if "/00002/" in path else own(path, limit, offset))


@pytest.mark.parametrize("names", [[], [{"id": "x"}], {"id": "00001"}, None, "00001", [["00001"]]])
def test_no_campaign_at_all_is_a_refusal(names: object) -> None:
    with pytest.raises(RefusedError, match="name the campaigns"):
        apart(names, listing(["601234555"]))
