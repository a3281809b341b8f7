"""The server of the page on a real socket: who gets in, what a plan needs to be sent, what is left behind."""

import asyncio
import errno
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openpyxl import Workbook

from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import StorageError
from bulk_remove.page import server as page_server
from bulk_remove.page import work as page_work
from bulk_remove.page.server import MOST_BYTES, Site, serving, shown_name
from bulk_remove.page.shown import progress_shown
from bulk_remove.page.work import Access, Stage
from bulk_remove.run import job
from bulk_remove.run.folders import lock_campaigns, run_folders
from bulk_remove.settings import Address, Login, Settings
from bulk_remove.simulator.api import Faults, Rules
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World

NUMBERS = [str(600_000_000 + 7 * index) for index in range(120)]
LIST = "telefon\n" + "".join(f"{number}\n" for number in NUMBERS)


@dataclass
class Visitor:
    """A browser, as far as the server can tell: a cookie, a page's token, the headers that browsers send."""

    site: Site
    session: aiohttp.ClientSession
    simulator: Simulator
    folder: Path

    async def get(self, place: str = "", **headers: str) -> tuple[int, str]:
        async with self.session.get(f"{self.site.origin}{self.site.base}/{place}", headers=headers) as reply:
            return reply.status, await reply.text()

    async def post(self, place: str, data: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        own = {"Origin": self.site.origin, "X_Token": self.site.token} | headers
        own = {name.replace("_", "-"): value for name, value in own.items() if value}
        async with self.session.post(f"{self.site.origin}{self.site.base}/{place}", data=data, headers=own) as reply:
            return reply.status, await reply.json() if reply.content_type == "application/json" else {}

    async def log_in(self) -> None:
        async with self.session.get(self.site.link) as reply:
            assert reply.status == 200

    async def plan(self, content: str = LIST, name: str = "opt-outs.csv", **chosen: str) -> str:
        """Upload and plan; returns the plan's page."""
        assert (await self.post("upload", content.encode(), X_Name=name)) == (200, {})
        status, answer = await self.post("plan", {"profile": "acme", "campaign": "00001"} | chosen)
        assert (status, list(answer)) == (200, ["go"]), answer
        await self.stage(Stage.ASKING, Stage.ENDED)
        return (await self.get("work"))[1]

    async def stage(self, *wanted: Stage) -> None:
        work = self.site.work
        assert work
        async with asyncio.timeout(60):
            while work.stage not in wanted:  # noqa: ASYNC110 - the page itself is asked again and again, too
                await asyncio.sleep(0.01)

    @property
    def plan_id(self) -> str:
        assert self.site.work
        return self.site.work.plan_id

    @property
    def removals(self) -> int:
        return sum(entry.method == "DELETE" for entry in self.simulator.audit)


Enter = Callable[..., Awaitable[Visitor]]


@asynccontextmanager
async def entered(
    folder: Path,
    *,
    most_bytes: int = MOST_BYTES,
    records: int = 1000,
    faults: Faults | None = None,
    absent: float = 0.0,
    state: str = "state",
) -> AsyncIterator[Visitor]:
    habits = Habits(absent_share=absent)
    world = World([OnDemandCampaign("00001", habits, records), OnDemandCampaign("00002", habits, records)])
    async with running(world, faults, Rules()) as simulator:

        def connect(_profile: str) -> Access:
            settings = Settings("00000", rate=500.0, max_numbers_per_request=10)
            login = Login("demo", "demo-password")
            return Access(settings, Address.parse(simulator.url), login, folder / state)

        async with (
            serving(["acme"], connect, folder / "state", most_bytes) as site,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):
            visitor = Visitor(site, session, simulator, folder)
            await visitor.log_in()
            yield visitor


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with entered(tmp_path) as visitor:
        yield visitor


async def test_a_file_is_planned_confirmed_by_its_count_sent_once_and_reported(visitor: Visitor) -> None:
    page = await visitor.plan(LIST + f"brak\n{NUMBERS[0]}\n")
    assert all(number in page for number in NUMBERS[:5])
    assert "12% of the 1,000 records of campaign 00001" in page
    assert "A word that says there is no number." in page
    assert "12%" in page
    assert visitor.removals == 0
    assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "yes"}))[0] == 422
    assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "121"}))[0] == 422
    assert visitor.site.work
    assert visitor.site.work.stage is Stage.ASKING
    assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"}))[0] == 200
    await visitor.stage(Stage.ENDED)
    assert {number for entry in visitor.simulator.audit for number in entry.removed} == {*NUMBERS}
    (folder,) = run_folders(visitor.folder / "state")
    _, result = await visitor.get(f"run/{folder.name}")
    assert 'class="card good"' in result
    assert "every number has its final answer" in result
    for kind, begins in (("xlsx", b"PK"), ("html", b"<!DOCTYPE html>"), ("csv", b"file,row,"), ("json", b"{")):
        async with visitor.session.get(f"{visitor.site.origin}{visitor.site.base}/run/{folder.name}/{kind}") as reply:
            assert reply.headers["Content-Disposition"].startswith("attachment")
            assert (await reply.read()).lstrip(b"\xef\xbb\xbf").startswith(begins)


async def test_a_reason_is_in_the_report_of_its_run_only(visitor: Visitor) -> None:
    chosen = {"profile": "acme", "campaign": "00001", "reason": "RODO-118"}
    await visitor.post("upload", LIST.encode(), X_Name="opt-outs.csv")
    status, answer = await visitor.post("plan", chosen | {"reason": "for 601 234 567"})
    assert (status, "looks like a phone number" in answer["problem"]) == (422, True)
    assert (await visitor.post("plan", chosen))[0] == 200
    await visitor.stage(Stage.ASKING)
    assert (await visitor.post("plan", {"column": "telefon"}))[0] == 200  # the file read in another way
    await visitor.stage(Stage.ASKING)
    assert "Reason: RODO-118" in (await visitor.get("work"))[1]
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    (folder,) = run_folders(visitor.folder / "state")
    assert json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))["reason"] == "RODO-118"
    assert "RODO-118" not in (await visitor.get(""))[1]


async def test_a_second_confirmation_is_a_conflict_and_sends_nothing(visitor: Visitor) -> None:
    await visitor.plan()
    answer = {"plan": visitor.plan_id, "typed": "120"}
    both = await asyncio.gather(visitor.post("confirm", answer), visitor.post("confirm", answer))
    assert sorted(status for status, _ in both) == [200, 409]
    await visitor.stage(Stage.ENDED)
    assert (await visitor.post("confirm", answer))[0] == 409
    assert (await visitor.post("confirm", {"plan": "another", "typed": "120"}))[0] == 409
    assert len(run_folders(visitor.folder / "state")) == 1
    assert visitor.removals == 12


async def test_the_plan_of_before_cannot_be_confirmed_once_another_was_made(visitor: Visitor) -> None:
    await visitor.plan()
    before = visitor.plan_id
    await visitor.plan()
    assert (await visitor.post("confirm", {"plan": before, "typed": "120"}))[0] == 409
    assert visitor.removals == 0


async def test_of_two_plans_made_at_once_one_is_left_which_holds_the_campaign(visitor: Visitor) -> None:
    await visitor.plan()
    before, chosen = visitor.plan_id, {"profile": "acme", "campaign": "00001"}
    answers = await asyncio.gather(visitor.post("plan", chosen), visitor.post("plan", chosen))
    assert [status for status, _ in answers] == [200, 200]
    assert (await visitor.post("confirm", {"plan": before, "typed": "120"}))[0] == 409
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"}))[0] == 200
    await visitor.stage(Stage.ENDED)
    assert len(run_folders(visitor.folder / "state")) == 1


async def test_a_plan_that_is_being_dropped_cannot_be_confirmed(visitor: Visitor) -> None:
    await visitor.plan()
    work = visitor.site.work
    assert work
    work.stop(Ending.PAGE)
    assert work.confirms(work.plan_id, "120") is None
    await work.ended()
    assert not work.begun
    assert visitor.removals == 0


async def test_a_disk_without_room_for_the_file_is_said(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(page_server, "TemporaryFile", full)
    status, answer = await visitor.post("upload", LIST.encode(), X_Name="opt-outs.csv")
    assert status == 422
    assert "No space left on device" in answer["problem"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "attacker.example:80"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Cookie": ""},
        {"Cookie": "bulk_remove=guess"},
    ],
)
async def test_nothing_is_shown_or_done_for_another_page_name_or_browser(
    visitor: Visitor, headers: dict[str, str]
) -> None:
    await visitor.plan()
    jar = visitor.session if "Cookie" not in headers else aiohttp.ClientSession()
    own = {"Origin": visitor.site.origin, "X-Token": visitor.site.token} | headers
    base = f"{visitor.site.origin}{visitor.site.base}"
    async with jar.get(f"{base}/work", headers=headers) as reply:
        assert reply.status == 403
        assert NUMBERS[0] not in await reply.text()
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    answer = {"plan": visitor.plan_id, "typed": "120"}
    async with jar.post(f"{base}/confirm", data=answer, headers=own) as reply:
        assert reply.status == 403
    await jar.close()
    assert visitor.site.work
    assert visitor.site.work.stage is Stage.ASKING
    assert visitor.removals == 0


@pytest.mark.parametrize("headers", [{"X_Token": ""}, {"X_Token": "guess"}, {"Origin": ""}])
async def test_a_form_of_another_page_lacks_the_token_and_the_origin(visitor: Visitor, headers: dict[str, str]) -> None:
    await visitor.plan()
    for place in (
        "confirm",
        "plan",
        "upload",
        "discard",
        "steer",
        "again",
        "explain",
        "verify",
        "campaigns",
        "language",
    ):
        assert (await visitor.post(place, {"plan": visitor.plan_id, "typed": "120"}, **headers))[0] == 403
    assert visitor.removals == 0


async def test_the_link_logs_in_once_and_the_cookie_is_for_this_page_only(tmp_path: Path) -> None:
    async with entered(tmp_path) as visitor:
        (cookie,) = visitor.session.cookie_jar
        assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == (f"{visitor.site.base}/", "Strict", True)
        assert visitor.site.origin.startswith("http://127.0.0.1:")
        async with aiohttp.ClientSession() as other:
            for link, code in (("link", 200), ("login/", 404), ("login/x", 403), ("", 403)):
                place = visitor.site.link if link == "link" else f"{visitor.site.origin}{visitor.site.base}/{link}"
                async with other.get(place) as reply:
                    assert (link, reply.status) == (link, code)
                    assert "Set-Cookie" not in reply.headers
        async with visitor.session.get(visitor.site.link) as reply:  # the tab was closed, and the link typed again
            assert (reply.status, f"url={visitor.site.base}/" in await reply.text()) == (200, True)


async def test_a_stop_right_after_the_confirmation_is_kept(visitor: Visitor) -> None:
    await visitor.plan()
    work = visitor.site.work
    assert work is not None
    assert work.confirms(visitor.plan_id, "120")
    assert work.steer(Key.PAUSE) == "The run is about to begin."
    assert work.steer(Key.STOP).startswith("Stopping")
    await visitor.stage(Stage.ENDED)
    assert work.done is not None
    assert work.done.sent is not None
    assert (work.done.sent.ending, work.done.sent.snapshot.requests) == (Ending.PAGE, 0)


async def test_every_answer_forbids_framing_caching_and_foreign_scripts(visitor: Visitor) -> None:
    for place in ("", "history", "file/page.js", "nothing", "run/unknown"):
        async with visitor.session.get(f"{visitor.site.origin}{visitor.site.base}/{place}") as reply:
            policy = reply.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert reply.headers["Cache-Control"] == "no-store"
            assert reply.headers["Referrer-Policy"] == "no-referrer"
            assert "demo-password" not in await reply.text()


async def test_no_page_has_a_script_or_a_style_of_its_own(visitor: Visitor) -> None:
    pages = [await visitor.plan(), *[(await visitor.get(place))[1] for place in ("", "confirm", "history")]]
    for page in pages:
        assert re.findall(r"<script(?! src=\"/)", page) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=", page) == []


@pytest.mark.parametrize("name", ["opt-outs.csv", "large.csv"])
async def test_a_file_is_in_no_folder_where_others_could_find_it(visitor: Visitor, name: str) -> None:
    more = "x" * 200_000 if name == "large.csv" else "x"
    await visitor.plan(LIST.replace("telefon", "telefon;note").replace("\n", f";{more}\n", 3), name)
    kept = [path for path in (visitor.folder / "state").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert {path.name.partition(".")[0] for path in kept} <= {"ledger", "run", "demo", "keys", "127"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    await visitor.post("discard")
    assert run_folders(visitor.folder / "state") == []


async def test_a_file_that_is_too_large_or_empty_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with entered(tmp_path, most_bytes=1 << 20) as visitor:

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield bytes(1 << 16)

        for content in (BytesIO(bytes(1 << 21)), endless(), b""):
            status, answer = await visitor.post("upload", content, X_Name="large.csv")
            assert (status, bool(answer["problem"])) == (422, True)
        assert (await visitor.post("plan", {"profile": "acme", "campaign": "00001"}))[0] == 422


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("opt-outs.csv", "opt-outs.csv"),
        ("../../state/x.csv", "x.csv"),
        ("C:\\lists\\x.xlsx", "x.xlsx"),
        ("-", "numbers.csv"),
        (" - ", "numbers.csv"),
        ("", "numbers.csv"),
        ("zgłoszenia 2026.csv", "zgłoszenia 2026.csv"),
        ("*[a]?.csv", "*[a]?.csv"),
        ("a\0b\n\u202e.csv", "a?b ?.csv"),
        ("x" * 500 + ".csv", "x" * 196 + ".csv"),
    ],
)
def test_a_file_is_shown_by_its_name_which_leads_nowhere(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@pytest.mark.parametrize("name", ["-", "*.csv", "%2Fetc%2Fpasswd.csv", "~.csv", "%00.csv", "a%0d%0aX: y.csv"])
async def test_a_hostile_name_opens_nothing(visitor: Visitor, name: str) -> None:
    assert f"<td>{NUMBERS[0]}</td>" in await visitor.plan(name=name)


async def test_a_hostile_name_is_shown_as_text(visitor: Visitor) -> None:
    page = await visitor.plan(name="%3Cimg src=x onerror=alert(1)%3E.csv")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.csv" in page
    assert (await visitor.plan(LIST.replace("telefon", "<b>telefon</b>"))).count("<b>telefon") == 0


@pytest.mark.parametrize(
    ("content", "records", "told"),
    [
        (LIST, 200, "the limit is 50%"),
        (LIST + "brak\n" * 100, 1000, "have no number that can be sent"),
        ("telefon\nbrak\n", 1000, "has no phone number in its first"),
        ("imie\nJan\nAnna\n", 1000, "column"),
    ],
)
async def test_what_a_limit_or_the_file_forbids_cannot_be_confirmed(
    tmp_path: Path, content: str, records: int, told: str
) -> None:
    async with entered(tmp_path, records=records) as visitor:
        page = await visitor.plan(content)
        assert told in page
        assert 'role="alert"' in page
        assert "/confirm" not in page
        assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"}))[0] == 409
        assert visitor.removals == 0
        assert run_folders(tmp_path / "state") == []


async def test_another_column_is_read_when_somebody_says_so(visitor: Visitor) -> None:
    rows = "".join(f"{number};{int(number) + 50_000_000}\n" for number in NUMBERS)
    page = await visitor.plan("telefon;telefon 2\n" + rows, column="telefon 2")
    assert str(int(NUMBERS[0]) + 50_000_000) in page
    await visitor.post("plan", {"column": "telefon"})
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    assert f"<td>{NUMBERS[0]}</td>" in (await visitor.get("work"))[1]


async def test_the_columns_of_a_file_that_cannot_be_planned_are_offered(visitor: Visitor) -> None:
    rows = "".join(f"Jan;{number};{int(number) + 50_000_000}\n" for number in NUMBERS)
    page = await visitor.plan("imie;telefon;telefon 2\n" + rows)
    assert "More than one column may hold the phone numbers" in page
    assert re.findall(r'<option value="(\d)">\d · ([^<]+)</option>', page) == [
        ("1", "imie"),
        ("2", "telefon"),
        ("3", "telefon 2"),
    ]
    await visitor.post("plan", {"column": "1"})
    await visitor.stage(Stage.ENDED)
    assert '<option value="1" selected>' in (await visitor.get("work"))[1]
    await visitor.post("plan", {"column": "2"})
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    page = (await visitor.get("work"))[1]
    assert f"<td>{NUMBERS[0]}</td>" in page
    assert "(chosen by you)" in page


async def test_a_workbook_that_cannot_be_opened_offers_no_columns(visitor: Visitor) -> None:
    locked = (Path(__file__).parents[1] / "reader" / "workbooks" / "password.xlsx").read_bytes()
    await visitor.post("upload", locked, X_Name="opt-outs.xlsx")
    await visitor.post("plan", {"profile": "acme", "campaign": "00001"})
    await visitor.stage(Stage.ENDED)
    page = (await visitor.get("work"))[1]
    assert "is protected with a password" in page
    assert "Column with the phone numbers" not in page


async def test_an_earlier_run_is_a_link_and_its_campaign_has_its_name(visitor: Visitor) -> None:
    await visitor.plan()
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    (folder,) = run_folders(visitor.folder / "state")
    for place in (f"run/{folder.name}", "history", ""):
        assert "Campaign 00001 &#39;Stand-in 1&#39;" in (await visitor.get(place))[1].replace("campaign", "Campaign")
    page = await visitor.plan()
    assert f'run <a class="id" href="{visitor.site.base}/run/{folder.name}">{folder.name}</a>' in page


async def test_nobody_in_a_browser_is_asked_for_a_flag(tmp_path: Path) -> None:
    async with entered(tmp_path, records=200) as visitor:
        page = await visitor.plan()
        assert "Ask the person who manages the settings of this system." in page
        assert not re.search(r"(?<![\w-])--[a-z]", page)  # a random token may hold two hyphens


async def test_the_canary_goes_first_unless_somebody_says_otherwise(visitor: Visitor) -> None:
    assert "One request goes first." in await visitor.plan()
    assert "Everything is sent at once" in await visitor.plan(canary="no")


async def test_a_plan_waits_only_so_long_and_lets_its_campaign_go(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_work, "PATIENCE_S", 0.01)
    page = await visitor.plan()
    await visitor.stage(Stage.ENDED)
    page = (await visitor.get("work"))[1]
    assert "waited too long" in page
    with lock_campaigns(visitor.folder / "state", Address.parse(visitor.simulator.url).host, ["00001"]):
        assert run_folders(visitor.folder / "state") == []


async def test_a_run_is_paused_slowed_stopped_and_resumed(tmp_path: Path) -> None:
    async with entered(tmp_path, faults=Faults(latency_s=0.02)) as visitor:
        await visitor.plan()
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
        assert visitor.site.work
        async with asyncio.timeout(60):
            while not (await visitor.post("steer", {"key": "p"}))[1]["said"].startswith("Paused"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await visitor.post("steer", {"key": "-"}))[1]["said"].startswith("Slower")
        status, state = await visitor.get("state")
        assert status == 200
        assert '"paused": true' in state
        assert '"spoken": "Paused. Nothing new is sent."' in state
        assert (await visitor.post("discard"))[0] == 422
        assert (await visitor.post("steer", {"key": "q"}))[1]["said"].startswith("Stopping")
        await visitor.stage(Stage.ENDED)
        (folder,) = run_folders(tmp_path / "state")
        result = (await visitor.get(f"run/{folder.name}"))[1]
        assert "stopped on the local page" in result
        assert 'class="card warn"' in result
        sent = {number for entry in visitor.simulator.audit for number in entry.removed}
        assert len(sent) < len(NUMBERS)
        await visitor.post("again", {"run": folder.name, "how": "resume"})
        await visitor.stage(Stage.ASKING)
        left = len(NUMBERS) - len(sent)
        assert (await visitor.post("confirm", {"plan": visitor.plan_id, "typed": str(left)}))[0] == 200
        await visitor.stage(Stage.ENDED)
        assert {number for entry in visitor.simulator.audit for number in entry.removed} == {*NUMBERS}
        assert run_folders(tmp_path / "state") == [folder]
        assert 'class="card good"' in (await visitor.get(f"run/{folder.name}"))[1]


async def test_a_run_that_fails_while_it_sends_is_not_shown_as_one_that_sent_nothing(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_values: object) -> None:
        raise StorageError("The disk is full.", "Make room.")

    monkeypatch.setattr(job, "carry_out", fail)
    await visitor.plan()
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    told = (await visitor.get("work"))[1]
    assert "The run was cut short" in told
    assert "The disk is full." in told
    assert "nothing" not in told.lower().partition("<main")[2]


async def test_a_bad_canary_holds_the_rest_back_until_somebody_sends_it_all_the_same(tmp_path: Path) -> None:
    async with entered(tmp_path, absent=1.0) as visitor:
        await visitor.plan()
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
        await visitor.stage(Stage.ENDED)
        assert visitor.removals == 1
        (folder,) = run_folders(tmp_path / "state")
        told = (await visitor.get(f"run/{folder.name}"))[1]
        assert '<div class="card bad"><p class="lead">' in told
        assert "Of 10 numbers sent first" in told
        assert 'value="resume"' not in told
        await visitor.post("again", {"run": folder.name, "how": "resume"})
        await visitor.stage(Stage.ASKING)
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "110"})
        await visitor.stage(Stage.ENDED)
        assert visitor.removals == 1
        await visitor.post("again", {"run": folder.name, "how": "whatever"})
        await visitor.stage(Stage.ASKING)
        assert visitor.removals == 1
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "110"})
        await visitor.stage(Stage.ENDED)
        assert visitor.removals == 12
        assert "none of the 120 numbers is in the campaign" in (await visitor.get(f"run/{folder.name}"))[1]


async def test_only_the_rows_that_are_asked_for_are_planned(visitor: Visitor) -> None:
    rows = "".join(f"{number};{'tak' if place % 2 else 'nie'}\n" for place, number in enumerate(NUMBERS))
    page = await visitor.plan("telefon;zgoda\n" + rows)
    assert "Column &#39;zgoda&#39;" in page
    await visitor.post("plan", {"where": "zgoda=nie"})
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    chosen = (await visitor.get("work"))[1]
    assert "<b>60</b><span>to remove</span>" in chosen
    assert 'value="zgoda=nie"' in chosen
    page = await visitor.plan("telefon;zgoda\n" + rows)
    assert "<b>120</b><span>to remove</span>" in page
    assert 'value="zgoda=nie"' not in page


async def test_a_profile_with_a_state_folder_of_its_own_has_its_runs_there(tmp_path: Path) -> None:
    async with entered(tmp_path, state="other") as visitor:
        await visitor.plan()
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
        await visitor.stage(Stage.ENDED)
        (folder,) = run_folders(tmp_path / "other")
        assert run_folders(tmp_path / "state") == []
        assert "every number has its final answer" in (await visitor.get("work"))[1]
        assert folder.name in (await visitor.get("history"))[1]
        assert "REMOVED" in (await visitor.post("explain", {"number": NUMBERS[3]}))[1]["html"]
        assert (await visitor.get(f"run/{folder.name}/html"))[0] == 200


async def test_the_end_of_the_process_stops_the_run_safely(tmp_path: Path) -> None:
    async with entered(tmp_path, faults=Faults(latency_s=0.05)) as visitor:
        await visitor.plan()
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
        work = visitor.site.work
        assert work
    assert work.done
    assert work.done.finished.ending.value == "stopped by Ctrl-C"
    assert work.done.finished.resumable
    assert work.done.finished.report.exists()


async def test_the_history_explains_a_number_without_one_in_an_address(visitor: Visitor) -> None:
    await visitor.plan()
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    (folder,) = run_folders(visitor.folder / "state")
    assert folder.name in (await visitor.get("history"))[1]
    told = (await visitor.post("explain", {"number": f"+48 {NUMBERS[3]}"}))[1]["html"]
    assert "REMOVED" in told
    assert f"Row 5 of opt-outs.csv: {NUMBERS[3]}" in told
    assert "No run of this machine held 700" in (await visitor.post("explain", {"number": "700000000"}))[1]["html"]
    assert (await visitor.post("explain", {"number": "nobody"}))[0] == 422
    assert "as they were written" in (await visitor.post("verify", {"run": folder.name}))[1]["html"]
    (folder / "report.csv").write_text("altered", encoding="utf-8")
    assert (await visitor.post("verify", {"run": folder.name}))[0] == 422
    for place in (
        f"run/{folder.name}/ledger.sqlite",
        f"run/{folder.name}/..%2Frun.log",
        "file/server.py",
    ):
        assert (await visitor.get(place))[0] in {403, 404, 422}


async def test_campaigns_are_named_with_their_records_or_typed(tmp_path: Path) -> None:
    async with entered(tmp_path) as visitor:
        listed = (await visitor.post("campaigns", {"profile": "acme"}))[1]["html"]
        assert re.findall(r'value="(\w+)"', listed) == ["00001", "00002"]
        assert listed.count("1,000 records") == 2
        assert (await visitor.post("campaigns", {"profile": "unknown"}))[0] == 422


async def test_a_result_is_read_from_a_summary_only_while_the_ledger_knows_it(visitor: Visitor) -> None:
    await visitor.plan()
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    (folder,) = run_folders(visitor.folder / "state")
    summary = folder / "report.summary.json"
    summary.write_text(
        summary.read_text(encoding="utf-8").replace('"REMOVED": 120', '"REMOVED": 999'), encoding="utf-8"
    )
    told = (await visitor.get(f"run/{folder.name}"))[1]
    assert "999" not in told
    assert "This run has no report: done." in told
    assert 'class="card warn"' in told
    assert '<td class="n">120</td>' in told


async def test_a_column_of_amounts_gets_a_yellow_light(visitor: Visitor) -> None:
    rows = "".join(f"{number};{100 + 10 * place % 900}\n" for place, number in enumerate(NUMBERS))
    page = await visitor.plan("telefon;Kwota\n" + rows, column="Kwota")
    assert "<b>90</b><span>to remove</span>" in page
    light = re.search(r'<li class="warn">.*?Column &#39;Kwota&#39; holds no whole phone number', page)
    assert light
    assert page.count("holds no whole phone number") == 1
    assert "holds no whole phone number" not in await visitor.plan("telefon;Kwota\n" + rows)


async def test_empty_cells_are_told_apart_from_damaged_ones_in_the_result(visitor: Visitor) -> None:
    await visitor.plan(LIST.replace("telefon", "imie;telefon").replace("\n6", "\nJan;6") + "Jan;\n" * 25)
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    assert visitor.site.work
    result = (await visitor.get(f"run/{visitor.site.work.run_id}"))[1]
    assert re.search(r"INVALID</th><td class=\"n\">25</td><td class=\"wide\">an empty cell: never sent", result)
    assert "not a phone number" not in result
    assert "held no phone number" not in result


async def test_the_same_file_again_is_told_as_already_gone_and_not_in_red(tmp_path: Path) -> None:
    async with entered(tmp_path) as visitor:
        for _ in range(2):
            await visitor.plan("telefon\n" + "".join(f"{number}\n" for number in NUMBERS[:10]))
            await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "10"})
            await visitor.stage(Stage.ENDED)
        assert visitor.site.work
        result = (await visitor.get(f"run/{visitor.site.work.run_id}"))[1]
        assert "none of the 10 numbers is in the campaign" in result
        assert "They are already gone: earlier runs removed all of them." in result
        assert '<div class="card info"><p class="lead">' in result
        assert "canary" not in result


async def test_a_resumed_run_says_so_with_its_file_and_its_limits(tmp_path: Path) -> None:
    async with entered(tmp_path, faults=Faults(latency_s=0.02)) as visitor:
        waiting = await visitor.plan()
        assert "The amounts were within" not in waiting
        start = (await visitor.get(""))[1]
        assert "A plan waits for your confirmation." in start
        assert "There is no run yet." in start
        confirm = (await visitor.get("confirm"))[1]
        assert "120 phone numbers will be removed from campaign 00001" in confirm
        assert "Type 120 to confirm:" in confirm
        assert "opt-outs.csv" in confirm
        assert "This resumes run" not in confirm
        await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
        work = visitor.site.work
        assert work
        async with asyncio.timeout(60):
            while not (await visitor.post("steer", {"key": "p"}))[1]["said"].startswith("Paused"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        watched = (await visitor.get("work"))[1]
        assert '<p class="card info">A rehearsal' in watched
        assert "A run is under way." in (await visitor.get(""))[1]
        await visitor.post("steer", {"key": "q"})
        await visitor.stage(Stage.ENDED)
        (folder,) = run_folders(tmp_path / "state")
        await visitor.post("again", {"run": folder.name, "how": "resume"})
        await visitor.stage(Stage.ASKING)
        page = (await visitor.get("work"))[1]
        assert "The amounts were within their limits when the run was confirmed." in page
        assert "The run stops when" in page
        confirm = (await visitor.get("confirm"))[1]
        assert f"This resumes run {folder.name}" in confirm
        assert "opt-outs.csv" in confirm


@pytest.mark.parametrize(("settled", "told"), [(150, "at least 90 %"), (155, "at least 100 %"), (16, "at least 10 %")])
async def test_the_spoken_progress_is_true(visitor: Visitor, settled: int, told: str) -> None:
    await visitor.plan("telefon\n" + "".join(f"{600_000_000 + 7 * place}\n" for place in range(155)))
    work = visitor.site.work
    assert work
    work.stage, work.snapshot = Stage.SENDING, Snapshot({Phase.REMOVED: settled}, 0, 0, 0, {}, 0.0, 0)
    try:
        assert progress_shown(work)["spoken"] == f"{told} done"
        work.paused = True
        assert progress_shown(work)["heading"] == "The removal is paused"
    finally:
        work.stage = Stage.ASKING


async def test_the_look_up_marks_a_rehearsal_and_names_the_id_of_a_record(visitor: Visitor) -> None:
    await visitor.plan()
    await visitor.post("confirm", {"plan": visitor.plan_id, "typed": "120"})
    await visitor.stage(Stage.ENDED)
    told = (await visitor.post("explain", {"number": NUMBERS[3]}))[1]["html"]
    assert re.search(r"</a> · rehearsal</h3>", told)
    assert re.search(r"Record id: \d+\.", told)


async def test_the_sheet_that_is_read_is_named(visitor: Visitor) -> None:
    book, content = Workbook(write_only=True), BytesIO()
    sheet = book.create_sheet("Rezygnacje")
    for cell in ["telefon", *NUMBERS]:
        sheet.append([cell])
    notes = book.create_sheet("Notatki <b>")
    for text in ("uwaga", "brak"):
        notes.append([text])
    book.save(content)
    await visitor.post("upload", content.getvalue(), X_Name="opt-outs.xlsx")
    await visitor.post("plan", {"profile": "acme", "campaign": "00001"})
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    page = (await visitor.get("work"))[1]
    assert "The sheet: Rezygnacje. Sheets that are not read: Notatki &lt;b&gt;." in page
    assert re.findall(r'<option value="([^"]+)">(?:Rez|Not)', page) == ["Rezygnacje", "Notatki &lt;b&gt;"]
    await visitor.post("plan", {"sheet": "Notatki <b>"})
    await visitor.stage(Stage.ASKING, Stage.ENDED)
    page = (await visitor.get("work"))[1]
    assert 'role="alert"' in page
    assert '<option value="Notatki &lt;b&gt;" selected>' in page
    assert '<select id="column"' in page
    assert "Sheet of the workbook" not in await visitor.plan()
