"""A real Chromium without a window, driven through its debugging protocol."""

import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any

import aiohttp

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # it refuses to run as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)

LOW_CONTRAST = """(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  ).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length === 3) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.body.querySelectorAll('*')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    if (element.closest('svg')) continue;
    const [one, other] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => a - b);
    if ((other + 0.05) / (one + 0.05) < 4.5) low.push(element.outerHTML.slice(0, 80));
  }
  return low;
})()"""
WIDER_THAN_SCREEN = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Tab:
    """One page. `told` holds what the console and the browser's log said, `addresses` those that were shown."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.told: list[str] = []
        self.addresses: list[str] = []
        self._events: set[str] = set()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; returns its result."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while (message := await self._next()).get("id") != self._calls:
            pass
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def open(self, page: Path, width: int, scheme: str, media: str = "screen") -> None:
        """Show a file at a width in pixels, in the light or the dark scheme."""
        await self.look(width, scheme, media)
        await self.go(page.as_uri())

    async def look(self, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Take a width in pixels and a scheme for what is shown from now on."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)

    async def go(self, address: str) -> None:
        """Show an address."""
        self._events.discard("Page.loadEventFired")
        await self.call("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._events:
            await self._next()

    @asynccontextmanager
    async def another(self, address: str) -> AsyncIterator["Tab"]:
        """Open a second tab of the same browser, which shows an address."""
        target = await self.call("Target.createTarget", url="about:blank")
        place = self._socket._response.url.with_path(f"/devtools/page/{target['targetId']}")
        async with aiohttp.ClientSession() as session, session.ws_connect(place, max_msg_size=0) as socket:
            tab = Tab(socket)
            await tab.look(1280, "light")
            await tab.go(address)
            yield tab

    async def holds(self, script: str) -> bool:
        """Return whether a condition holds; a page that is just being left holds none."""
        try:
            return bool(await self.run(script))
        except AssertionError as error:
            if "navigated or closed" in str(error) or "Cannot find" in str(error):
                return False
            raise

    async def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=60)
        method = message.get("method", "")
        self._events.add(method)
        if method == "Page.frameNavigated":
            self.addresses.append(message["params"]["frame"]["url"])
        if method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.told.append(str(message["params"]))
        return message


def _started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


@asynccontextmanager
async def chromium() -> AsyncIterator[Tab]:
    """Start the browser with a profile of its own; gives its one tab."""
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        with _started(words) as process:
            try:
                assert process.stderr
                found = next(filter(None, (re.search(r"ws://([^/]+)/", line) for line in process.stderr)))
                async with aiohttp.ClientSession() as session:
                    async with session.get(f"http://{found[1]}/json/list") as reply:
                        (target,) = [entry for entry in await reply.json() if entry["type"] == "page"]
                    async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                        yield Tab(socket)
            finally:
                process.terminate()
                process.communicate(timeout=60)
