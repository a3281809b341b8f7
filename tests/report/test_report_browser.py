"""The page in a real browser: on a telephone and a desk, light, dark and on paper."""

from base64 import b64decode
from pathlib import Path

import pytest

from tests.support.chromium import CHROMIUM, LOW_CONTRAST, WIDER_THAN_SCREEN, Tab, chromium
from tests.support.made_up_page import empty_page, page

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

_SMALLEST_TEXT_PX = """Math.min(...[...document.querySelectorAll('main *')].filter(
  e => !e.closest('svg') && e.innerText && e.getClientRects().length
).map(e => parseFloat(getComputedStyle(e).fontSize)))"""
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"
_BAR_HEIGHTS = """[...document.querySelectorAll('.dense .bar')].map(
  bar => bar.getBoundingClientRect()).filter(box => box.width > 0 && box.height > 0).length"""


async def picture_of(tab: Tab) -> bytes:
    picture = await tab.call("Page.captureScreenshot", captureBeyondViewport=True)
    return b64decode(picture["data"])


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "light"),
        (1280, "dark"),
        pytest.param(390, "dark", marks=pytest.mark.deep),
        pytest.param(1280, "light", marks=pytest.mark.deep),
    ],
)
async def test_a_browser_shows_the_page_without_a_complaint_readable_and_no_wider_than_the_screen(
    tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(), encoding="utf-8")
    async with chromium() as tab:
        await tab.open(file, width, scheme)
        await tab.run("document.querySelectorAll('details').forEach(element => element.open = true)")
        assert await tab.run(_BACKGROUND) == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")
        assert await tab.run(LOW_CONTRAST) == []
        assert await tab.run(WIDER_THAN_SCREEN) == 0
        assert await tab.run(_SMALLEST_TEXT_PX) >= 11
        assert await tab.run(_BAR_HEIGHTS) > 50
        assert len(await picture_of(tab)) > 20_000
        assert tab.told == []


async def test_the_page_forbids_itself_to_load_or_run_anything(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    hostile = "<img src='file:///etc/hostname'><script>document.title = 'ran'</script></main>"
    file.write_text(page().replace("</main>", hostile), encoding="utf-8")
    async with chromium() as tab:
        await tab.open(file, 1280, "light")
        assert await tab.run("document.title") != "ran"
        assert await tab.run("document.images[0].naturalWidth") == 0
        assert sum("Content Security Policy" in entry for entry in tab.told) == 2


async def test_paper_is_white_even_where_the_screen_is_dark_and_the_empty_page_prints(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    for text in (empty_page(), page()):
        file.write_text(text, encoding="utf-8")
        async with chromium() as tab:
            await tab.open(file, 1280, "dark", media="print")
            assert await tab.run(_BACKGROUND) == "rgb(255, 255, 255)"
            assert await tab.run(LOW_CONTRAST) == []
            printed = await tab.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
            pdf = b64decode(printed["data"])
            assert tab.told == []
    assert 1 <= pdf.count(b"/Type /Page\n") <= 6
