"""The whole list of a campaign's records, read once while it changes, and by servers that answer oddly."""

import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.api import _Numbers
from bulk_remove.core.model import NumberFormat
from bulk_remove.core.replies import Document, Effect, Fault
from bulk_remove.errors import GuardStop, RefusedError, StorageError, UnavailableError
from bulk_remove.ledger import Sightings
from bulk_remove.run.look import Listing, Looked, Reader, Search, check_size, look_over, requests_for, seen_in
from bulk_remove.run.prepare import prepare
from bulk_remove.settings import Destination, Settings


def record(record_id: int, number: object = "500000000", status: object = "TO_CALL") -> dict[str, Any]:
    return {"record_id": record_id, "phone_number": number, "system_status": status}


class Lists:
    """Answers with pages of `records`; `meanwhile` is called before each answer but the first."""

    def __init__(self, records: list[dict[str, Any]], meanwhile: Callable[["Lists"], None] = lambda _: None) -> None:
        self.records = records
        self.asked: list[str] = []
        self._meanwhile = meanwhile

    async def get(self, target: str, now_s: float) -> Document | Fault:
        del now_s
        if self.asked:
            self._meanwhile(self)
        self.asked.append(target)
        limit, offset = (int(each.split("=")[1]) for each in target.partition("?")[2].split("&"))
        return Document({"count": len(self.records), "result": self.records[offset : offset + limit]}, None)


class Says:
    """Answers with these documents or faults, one after the other, the last one again and again."""

    def __init__(self, answers: Iterable[object]) -> None:
        self._answers = [*answers]
        self.asked = 0

    async def get(self, target: str, now_s: float) -> Document | Fault:
        del target, now_s
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, Fault) else Document(answer, None)


async def ids_read(
    asker: Any, most: int = 100_000, waits: list[float] | None = None, expected: int = 0
) -> tuple[list[int], Listing]:
    async def wait(seconds: float) -> None:
        assert waits is not None
        waits.append(seconds)

    listing = Listing(asker, "", "00001", most, expected, lambda: 0.0, wait)
    return [each["record_id"] async for page in listing.pages() for each in page], listing


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 198, 199, 200, 1_000])
async def test_every_record_is_read_once_with_the_requests_that_were_announced(count: int) -> None:
    lists = Lists([record(each) for each in range(count)])
    ids, listing = await ids_read(lists)
    assert ids == [*range(count)]
    assert listing.requests == len(lists.asked) == requests_for(count)
    assert listing.certain


@pytest.mark.parametrize("seed", range(30))
async def test_a_record_that_is_there_all_the_time_is_never_missed_nor_read_twice(seed: int) -> None:
    dice = random.Random(seed)
    begin = range(dice.randrange(1, 1_500))
    next_id = len(begin)

    def meanwhile(lists: Lists) -> None:
        nonlocal next_id
        for _ in range(dice.choice([0, 0, 1, 5, 120])):
            if lists.records:
                lists.records.pop(dice.randrange(min(len(lists.records), dice.choice([1, 100, 10_000]))))
        for _ in range(dice.choice([0, 0, 3])):
            lists.records.append(record(next_id))
            next_id += 1

    lists = Lists([record(each) for each in begin], meanwhile)
    ids, _ = await ids_read(lists)
    stayed = {each["record_id"] for each in lists.records} & {*begin}
    assert stayed <= {*ids}
    assert len({*ids}) == len(ids) or not lists.records


async def test_a_campaign_that_is_emptied_while_it_is_read_ends_the_reading() -> None:
    lists = Lists([record(each) for each in range(500)], lambda lists: lists.records.clear())
    ids, _ = await ids_read(lists)
    assert ids == [*range(100)]


async def test_a_list_in_another_order_at_each_request_is_not_called_certain() -> None:
    dice = random.Random(1)
    lists = Lists([record(each) for each in range(250)], lambda lists: dice.shuffle(lists.records))
    try:
        _, listing = await ids_read(lists)
    except RefusedError:
        return
    assert not listing.certain


PAGE = {"count": 300, "result": [record(each) for each in range(100)]}


@pytest.mark.parametrize(
    "answers",
    [
        [PAGE],  # the same page for every offset
        [{"count": 5, "result": []}],
        [{"count": 1, "result": [{"phone_number": "500000000"}]}],
        [{"count": 1, "result": [{"record_id": None}]}],
        [{"count": 1, "result": [{"record_id": [1]}]}],
        [{"count": 1, "result": [7]}],
        [{"count": "many", "result": []}],
        [{"count": -1, "result": []}],
        [{"count": 1, "result": {"0": record(1)}}],
        [{"result": [record(1)]}],
        [[record(1)]],
        [None],
    ],
)
async def test_a_list_that_is_not_as_documented_is_refused_and_ends(answers: list[object]) -> None:
    says = Says(answers)
    with pytest.raises(RefusedError, match="not as documented"):
        await ids_read(says)
    assert says.asked < 20


async def test_a_list_that_grows_for_ever_ends_at_the_limit() -> None:
    def meanwhile(lists: Lists) -> None:
        lists.records += [record(len(lists.records) + each) for each in range(200)]

    with pytest.raises(GuardStop, match="look_max"):
        await ids_read(Lists([record(each) for each in range(150)], meanwhile), most=1_000)


@pytest.mark.parametrize("called", [0, 1, 100, 449])
async def test_a_list_that_is_called_shorter_than_it_was_counted_is_read_to_its_end(called: int) -> None:
    class Lies(Lists):
        async def get(self, target: str, now_s: float) -> Document | Fault:
            answer = await super().get(target, now_s)
            assert isinstance(answer, Document)
            assert isinstance(answer.content, dict)
            return Document({**answer.content, "count": called}, None)

    ids, listing = await ids_read(Lies([record(each) for each in range(450)]), expected=450)
    assert ids == [*range(450)]
    assert listing.requests == requests_for(450)


async def test_pages_that_must_be_read_again_cost_few_requests_more_than_were_announced() -> None:
    class Twice(Lists):
        async def get(self, target: str, now_s: float) -> Document | Fault:
            answer = await super().get(target, now_s)
            assert isinstance(answer, Document)
            assert isinstance(answer.content, dict)
            return Document({**answer.content, "result": [e for e in answer.content["result"] for _ in range(2)]}, None)

    lists = Twice([record(each) for each in range(450)])
    with pytest.raises(RefusedError, match="not as documented"):
        await ids_read(lists, expected=450)
    assert len(lists.asked) <= 2 * requests_for(450) + 110


async def test_a_fault_that_passes_is_waited_for_and_one_that_stays_ends_it() -> None:
    busy = Fault(Effect.UNTOUCHED, "503", "The server is busy.", 503, retry_after_s=7.0)
    lost = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
    waits: list[float] = []
    one = {"count": 1, "result": [record(1)]}
    assert (await ids_read(Says([busy, lost, one]), waits=waits))[0] == [1]
    assert waits == [7.0, 4.0]
    with pytest.raises(UnavailableError):
        await ids_read(Says([lost]), waits=waits)
    for fault in (Fault(Effect.DENIED, "403", "Forbidden.", 403), Fault(Effect.REFUSED, "400", "Wrong.", 400)):
        says = Says([fault])
        with pytest.raises(RefusedError):
            await ids_read(says)
        assert says.asked == 1


def test_how_many_requests_it_takes_is_known_before_and_too_many_are_refused() -> None:
    assert check_size({"00001": 250, "00002": 0}, ["00001", "00002"], 250) == (250, 4)
    with pytest.raises(GuardStop, match="takes 4 requests; the limit is 249 records"):
        check_size({"00001": 250, "00002": 0}, ["00001", "00002"], 249)
    with pytest.raises(RefusedError, match="00002 cannot be listed"):
        check_size({"00001": 250}, ["00001", "00002"], 1_000)


@contextmanager
def seen_of(folder: Path, numbers: Sequence[str], settings: Settings) -> Iterator[Search]:
    destination = Destination("http://127.0.0.1", "127.0.0.1")
    with prepare([_Numbers(numbers)], settings, destination, folder, 0.0) as ready, seen_in(ready) as seen:
        yield seen
    assert not [*folder.rglob("look.tmp")]


async def looked_at(folder: Path, numbers: Sequence[str], records: list[dict[str, Any]], **settings: Any) -> Looked:
    with seen_of(folder, numbers, Settings("00001", **settings)) as seen:
        listing = Listing(Lists(records), "", "00001", 100_000, len(records))
        (looked,) = await look_over([listing], seen, lambda _: None)
    return looked


async def test_a_number_is_seen_in_every_form_and_what_the_run_would_not_ask_for_is_counted(tmp_path: Path) -> None:
    forms = ["601234555", "48601234555", "+48601234555", "0048601234555", "601 234 555", 601234555]
    records = [record(place, each) for place, each in enumerate(forms)]
    looked = await looked_at(tmp_path, ["601234555", "602000111"], records, number_format="national")
    assert (looked.numbers, looked.seen, looked.found) == (2, 1, 6)
    assert looked.forms == {"national": 2, "international": 1, "plus": 1, "zeros": 1, "otherwise": 1}
    assert looked.not_asked == 4
    looked = await looked_at(tmp_path, ["601234555"], records, number_format="e164", also_try=("national", "zeros"))
    assert looked.not_asked == 2


async def test_only_what_is_being_worked_on_counts_as_such(tmp_path: Path) -> None:
    statuses = ["TO_CALL", "IN_PROGRESS", "CALL", "MY_RECORD", "NO_CALL", "CALL_PROGRESSIVE", None, 7, "IN_PROGRESS"]
    records = [record(place, "601234555", each) for place, each in enumerate(statuses)]
    looked = await looked_at(tmp_path, ["601234555"], records)
    assert (looked.found, looked.in_progress) == (9, 2)


async def test_records_of_others_and_odd_numbers_are_nobodys(tmp_path: Path) -> None:
    records = [record(place, each) for place, each in enumerate(["", None, True, [1], "1", "x" * 999, "+49601234555"])]
    looked = await looked_at(tmp_path, ["601234555"], records)
    assert (looked.records, looked.found, looked.seen) == (7, 0, 0)


def test_as_is_only_the_very_text_is_seen() -> None:
    reader = Reader(Settings("00001", number_format=NumberFormat.AS_IS))
    assert reader.planned({"phone_number": "0048601234555"}) == "0048601234555"


async def test_memory_does_not_grow_with_the_list(tmp_path: Path) -> None:
    async def peak(records: int) -> int:
        class Endless:
            async def get(self, target: str, now_s: float) -> Document | Fault:
                del now_s
                offset = int(target.rpartition("=")[2])
                page = [record(each, str(500_000_000 + each)) for each in range(offset, min(offset + 100, records))]
                return Document({"count": records, "result": page}, None)

        numbers = [str(500_000_000 + each) for each in range(2_000)]
        with seen_of(tmp_path / str(records), numbers, Settings("00001")) as seen:
            tracemalloc.start()
            await look_over([Listing(Endless(), "", "00001", 100_000, records)], seen, lambda _: None)
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    assert await peak(20_000) < 1.5 * await peak(4_000)


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"), Sightings(tmp_path / "no" / "folder"):
        pass
    with Sightings(tmp_path / "look.tmp") as kept:
        kept._connection.execute("DROP TABLE want")
        with pytest.raises(StorageError, match="no such table"):
            kept.want([("00001", ["601234555"])])
        with pytest.raises(StorageError, match="no such table"):
            kept.is_wanted("00001", "601234555")
