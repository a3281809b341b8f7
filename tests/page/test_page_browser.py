"""The page in a real browser, by clicks, against the simulator."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest

from bulk_remove.errors import UsageError
from bulk_remove.language import ENGLISH, load_language, use
from bulk_remove.page.server import Site, serving
from bulk_remove.page.work import Access, Stage
from bulk_remove.run.folders import run_folders
from bulk_remove.settings import Address, Login, Settings
from bulk_remove.simulator.api import Faults
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World
from tests.support.chromium import CHROMIUM, LOW_CONTRAST, WIDER_THAN_SCREEN, Tab, chromium

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

NUMBERS = [str(600_000_000 + 7 * index) for index in range(300)]
UNNAMED = """[...document.querySelectorAll('a, button, input:not([type=hidden]), select, progress')].filter(
  e => !(e.innerText.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length))
).map(e => e.outerHTML.slice(0, 80))"""
SMALL = """[...document.querySelectorAll('main button, main .button, main input:not([type=hidden]), select')].filter(
  e => e.getClientRects().length && e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 80))"""


@asynccontextmanager
async def page(
    folder: Path, faults: Faults | None = None, records: int = 3000
) -> AsyncIterator[tuple[Site, Simulator]]:
    world = World([OnDemandCampaign("00001", Habits(absent_share=0.1), records)])
    async with running(world, faults) as simulator:

        def connect(_profile: str) -> Access:
            settings = Settings("00000", rate=100.0, max_numbers_per_request=5)
            address, login = Address.parse(simulator.url), Login("demo", "demo-password")
            return Access(settings, address, login, folder / "state")

        async with serving(["acme", "beta"], connect, folder / "state") as site:
            yield site, simulator


class Person:
    """Somebody with a mouse and a keyboard."""

    def __init__(self, tab: Tab, site: Site) -> None:
        self.tab = tab
        self.site = site

    async def see(self, script: str) -> None:
        """Wait until a condition holds on a page that is loaded."""
        try:
            async with asyncio.timeout(60):
                while not await self.tab.holds(f"document.readyState === 'complete' && !!({script})"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{script} never came true on a page that says: {await self.text()}")

    async def click(self, selector: str) -> None:
        await self.see(f"document.querySelector({selector!r})")
        await self.tab.run(f"document.querySelector({selector!r}).click()")

    async def type(self, selector: str, text: str) -> None:
        await self.see(f"document.querySelector({selector!r})")
        await self.tab.run(f"document.querySelector({selector!r}).focus()")
        await self.tab.call("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = "\r" if key == "Enter" and kind == "keyDown" else ""
            await self.tab.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    async def check_file(self, file: Path) -> None:
        """Choose a file and a campaign, and have them checked."""
        await self.see("document.querySelector('#campaign')")
        found = await self.tab.call("Runtime.evaluate", expression="document.querySelector('#file')")
        await self.tab.call("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])
        await self.tab.run("document.querySelector('#campaign').value = '00001'")
        await self.click("form[data-upload] button.main")
        await self.see("document.querySelector('.lights')")

    async def confirm(self, count: int) -> None:
        await self.click("a[href$='/confirm']")
        await self.type("#typed", str(count))
        await self.press("Enter", 13)
        await self.see("document.querySelector('#bar') || document.querySelector('.statuses')")

    async def text(self) -> str:
        return str(await self.tab.run("document.body.innerText"))


@asynccontextmanager
async def person(site: Site, width: int = 1280, scheme: str = "light") -> AsyncIterator[Person]:
    async with chromium() as tab:
        await tab.look(width, scheme)
        await tab.go(site.link)
        yield Person(tab, site)


def list_of(folder: Path, name: str = "opt-outs.csv") -> Path:
    file = folder / name
    rows = "".join(f"Jan;{number}\n" for number in NUMBERS)
    file.write_text(f"name;telefon\n{rows}x;brak\n", encoding="utf-8")
    return file


async def test_a_whole_purge_by_clicks_leaves_nothing_on_the_console(tmp_path: Path) -> None:
    async with page(tmp_path) as (site, simulator), person(site) as somebody:
        await somebody.see("document.querySelector('#campaign option[value=\"00001\"]')")
        assert "3,000 records" in await somebody.text()
        await somebody.check_file(list_of(tmp_path))
        told = await somebody.text()
        assert all(number in told for number in NUMBERS[:5])
        assert "10% of the 3,000 records" in told
        await somebody.confirm(len(NUMBERS))
        await somebody.see("document.querySelector('.statuses')")
        told = await somebody.text()
        assert "every number has its final answer" in told
        assert "numbers agree" in told or "the counts agree" in told or "2,7" in told
        await somebody.click("form[data-into=proof] button")
        await somebody.see("document.querySelector('#proof .good')")
        assert somebody.tab.told == []
        assert not any(number in str(somebody.tab.addresses) for number in NUMBERS)
    removed = {number for entry in simulator.audit for number in entry.removed}
    assert removed <= {*NUMBERS}
    assert len(removed) > 250


async def test_a_run_is_slowed_paused_stopped_and_resumed_over_reloads_and_a_closed_tab(tmp_path: Path) -> None:
    async with page(tmp_path, Faults(latency_s=0.1)) as (site, simulator), person(site) as somebody:
        await somebody.check_file(list_of(tmp_path))
        await somebody.confirm(len(NUMBERS))
        await somebody.see("document.querySelector('#bar').value > 3")
        await somebody.click("[value='-']")
        await somebody.see("document.querySelector('#said').textContent.startsWith('Slower')")
        await somebody.tab.run("document.querySelector('#pause').focus()")
        await somebody.press("Enter", 13)
        await somebody.see("document.querySelector('#pause').textContent === 'Go on'")
        await somebody.see("document.querySelector('h1').textContent === 'The removal is paused'")
        await somebody.see("document.activeElement.id === 'pause'")
        await somebody.see("!document.querySelector('#said').textContent.includes('Paused')")
        await somebody.tab.call("Page.reload")
        await somebody.see("document.querySelector('#pause').textContent === 'Go on'")
        await somebody.click("#pause")
        await somebody.tab.go("about:blank")
        before = len(simulator.audit)
        async with asyncio.timeout(60):
            while len(simulator.audit) < before + 3:  # noqa: ASYNC110 - the simulator tells nobody
                await asyncio.sleep(0.02)
        await somebody.tab.go(f"{site.origin}{site.base}/work")
        await somebody.click("[value=q]")
        await somebody.see("document.querySelector('.statuses')")
        assert "Ended early" in await somebody.text()
        await somebody.click("[value=resume]")
        await somebody.see("document.querySelector('a[href$=\"/confirm\"]')")
        removed = {number for entry in simulator.audit for number in entry.removed}
        left = int(await somebody.tab.run("document.querySelector('.figures b').innerText"))
        assert 0 < left <= len(NUMBERS) - len(removed)
        await somebody.confirm(left)
        await somebody.see("document.querySelector('.statuses')")
        assert "every number has its final answer" in await somebody.text()
        assert somebody.tab.told == []
    asked = [number for entry in simulator.audit for number in entry.removed]
    assert len(asked) == len({*asked})


async def test_two_tabs_send_one_plan_once(tmp_path: Path) -> None:
    async with page(tmp_path) as (site, _), person(site) as somebody:
        await somebody.check_file(list_of(tmp_path))
        await somebody.click("a[href$='/confirm']")
        async with somebody.tab.another(f"{site.origin}{site.base}/confirm") as tab:
            other = Person(tab, site)
            for each in (somebody, other):
                await each.type("#typed", str(len(NUMBERS)))
            await somebody.press("Enter", 13)
            await somebody.see("!document.querySelector('#typed')")
            await other.click("button.danger")
            await other.see("!document.querySelector('#problem').hidden")
            assert "already confirmed" in await other.text()
            assert not await other.tab.run("document.querySelector('.count, button.danger')")
            assert site.work
            await site.work.ended()
    assert len(run_folders(tmp_path / "state")) == 1


async def test_a_page_of_somebody_else_can_neither_send_nor_read_nor_frame(tmp_path: Path) -> None:
    async with page(tmp_path) as (site, simulator), person(site) as somebody:
        await somebody.check_file(list_of(tmp_path))
        attack = tmp_path / "attack.html"
        attack.write_text(f"<iframe src='{site.origin}{site.base}/work'></iframe>", encoding="utf-8")
        await somebody.tab.go(attack.as_uri())
        plan = site.work.plan_id if site.work else ""
        tried = f"""Promise.allSettled([
            fetch('{site.origin}{site.base}/work', {{credentials: 'include'}}),
            fetch('{site.origin}{site.base}/confirm', {{method: 'POST', credentials: 'include', mode: 'no-cors',
              body: new URLSearchParams({{plan: '{plan}', typed: '{len(NUMBERS)}'}})}})
        ]).then(all => all.map(each => each.status + (each.value ? each.value.type : '')).join())"""
        answer = await somebody.tab.call("Runtime.evaluate", expression=tried, awaitPromise=True, returnByValue=True)
        assert answer["result"]["value"] == "rejected,rejected"
        assert await somebody.tab.run("document.querySelector('iframe').contentDocument") is None
        assert site.work
        assert site.work.stage is Stage.ASKING
        assert not any(entry.method == "DELETE" for entry in simulator.audit)


async def test_a_hostile_file_is_shown_as_text_only(tmp_path: Path) -> None:
    hostile = '<img src=x onerror="document.title=1">'
    file = tmp_path / f"{hostile}.csv"
    rows = "".join(f"{number}\n" for number in NUMBERS)
    file.write_text(f"telefon\n{rows}{hostile}\n=cmd|' /C calc'!A0\n", encoding="utf-8")
    async with page(tmp_path) as (site, _), person(site) as somebody:
        await somebody.check_file(file)
        assert "<img src=x onerror=" in await somebody.text()
        assert await somebody.tab.run("document.images.length") == 0
        assert await somebody.tab.run("document.title") != "1"
        assert somebody.tab.told == []


@pytest.mark.parametrize(
    ("width", "scheme", "code"),
    [
        (360, "dark", "pl"),
        pytest.param(360, "light", "en", marks=pytest.mark.deep),
        pytest.param(1280, "dark", "en", marks=pytest.mark.deep),
    ],
)
async def test_every_page_is_readable_named_and_no_wider_than_the_screen(
    tmp_path: Path, width: int, scheme: str, code: str
) -> None:
    use(load_language(code))
    try:
        async with page(tmp_path, Faults(latency_s=0.1)) as (site, _), person(site, width, scheme) as somebody:

            async def hold() -> None:
                await somebody.tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
                assert await somebody.tab.run(LOW_CONTRAST) == []
                assert await somebody.tab.run(WIDER_THAN_SCREEN) == 0
                assert await somebody.tab.run(UNNAMED) == []
                assert await somebody.tab.run(SMALL) == []
                assert await somebody.tab.run("document.querySelectorAll('h1').length") == 1
                assert await somebody.tab.run("document.documentElement.lang") == code
                picture = await somebody.tab.call("Page.captureScreenshot")
                assert len(b64decode(picture["data"])) > 5000

            await somebody.see("document.querySelector('#campaign')")
            await hold()
            await somebody.check_file(list_of(tmp_path))
            await hold()
            await somebody.click("a[href$='/confirm']")
            await somebody.see("document.querySelector('#typed')")
            await hold()
            await somebody.tab.go(f"{site.origin}{site.base}/work")
            await somebody.confirm(len(NUMBERS))
            await somebody.see("document.querySelector('#bar').value > 3")
            await hold()
            await somebody.click("[value=q]")
            await somebody.see("document.querySelector('.statuses')")
            await hold()
            await somebody.tab.go(f"{site.origin}{site.base}/history")
            await somebody.type("#number", NUMBERS[0])
            await somebody.press("Enter", 13)
            await somebody.see("document.querySelector('#explained section')")
            await hold()
            await somebody.tab.run("document.querySelector('#number').value = 'x'")
            await somebody.press("Enter", 13)
            await somebody.see("!document.querySelector('#problem').hidden")
            assert not await somebody.tab.run("document.querySelector('#explained').childElementCount")
            somebody.tab.told.clear()  # the refusal is on the console
            assert somebody.tab.told == []
    finally:
        use(ENGLISH)


async def test_a_file_may_be_dropped_anywhere_on_the_page(tmp_path: Path) -> None:
    async with page(tmp_path) as (site, _), person(site) as somebody:
        await somebody.see("document.querySelector('#campaign')")
        data = {"items": [], "files": [str(list_of(tmp_path))], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await somebody.tab.call("Input.dispatchDragEvent", type=kind, x=900, y=600, data=data)
        await somebody.see("document.querySelector('#file').files.length")
        assert await somebody.tab.run("document.querySelector('#file').files[0].name") == "opt-outs.csv"
        await somebody.tab.run("document.querySelector('#campaign').value = '00001'")
        await somebody.click("form[data-upload] button.main")
        await somebody.see("document.querySelector('.lights')")
        assert NUMBERS[0] in await somebody.text()


async def test_the_keyboard_alone_reaches_what_is_needed_and_shows_where_it_is(tmp_path: Path) -> None:
    async with page(tmp_path) as (site, _), person(site) as somebody:
        await somebody.see("document.querySelector('#campaign')")
        reached = []
        for _ in range(11):
            await somebody.press("Tab", 9)
            reached.append(
                await somebody.tab.run("document.activeElement.id || document.activeElement.className || 'other'")
            )
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert await somebody.tab.run(f"document.activeElement.matches(':focus-visible') && {outline}") == "solid"
        assert reached[0] == "skip"
        assert [each for each in reached if each in {"file", "profile", "campaign", "reason", "main"}] == [
            "file",
            "profile",
            "campaign",
            "reason",
            "main",
        ]


async def test_a_slow_list_of_another_system_never_replaces_that_of_the_chosen_one(tmp_path: Path) -> None:
    asked, answered = Event(), Event()

    def connect(profile: str) -> Access:
        if profile == "slow":
            asked.set()
            assert answered.wait(60)
        else:
            answered.set()
        raise UsageError(f"{profile} has no password.", "Store it.")

    async with serving(["slow", "fast"], connect, tmp_path / "state") as site, person(site) as somebody:
        await asyncio.to_thread(asked.wait, 60)
        choose = "s => { s.value = 'fast'; s.dispatchEvent(new Event('change')); }"
        await somebody.tab.run(f"({choose})(document.querySelector('#profile'))")
        await somebody.see("!document.querySelector('#problem').hidden")
        await somebody.see("document.querySelector('#campaigns button')")
        assert "fast has no password" in await somebody.text()
        await somebody.click("#campaigns button")
        await somebody.see("document.querySelector('#campaigns button')")
        assert "slow has no password" not in await somebody.text()


async def test_the_end_of_the_program_is_said_on_the_page(tmp_path: Path) -> None:
    async with chromium() as tab:
        async with page(tmp_path, Faults(latency_s=0.1)) as (site, _):
            await tab.look(1280)
            await tab.go(site.link)
            somebody = Person(tab, site)
            await somebody.check_file(list_of(tmp_path))
            await somebody.confirm(len(NUMBERS))
            work = site.work
        await somebody.see("!document.querySelector('#problem').hidden")
        assert "has ended" in await somebody.text()
    assert work
    assert work.done
    assert work.done.finished.resumable


async def test_the_polish_menu_is_one_line_at_200_percent_and_its_languages_are_as_wide(tmp_path: Path) -> None:
    use(load_language("pl"))
    try:
        async with page(tmp_path) as (site, _), person(site, 640) as somebody:
            await somebody.check_file(list_of(tmp_path))
            tops = "new Set([...document.querySelectorAll('nav a')].map(e => e.getBoundingClientRect().top)).size"
            assert await somebody.tab.run("document.querySelectorAll('nav a').length") == 3
            assert await somebody.tab.run(tops) == 1
            widths = "[...document.querySelectorAll('.language button')].map(e => Math.round(e.offsetWidth))"
            assert len({*await somebody.tab.run(widths)}) == 1
    finally:
        use(ENGLISH)
