"""`bulk-remove ui` as a process: its link, its profiles, and what Ctrl-C does to a run."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.processes import Running, bulk_remove, environment, simulator, started
from tests.support.warm import Warm

NUMBERS = [str(600_000_000 + 7 * index) for index in range(60)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path, "--latency", "0.1") as running:
        yield running


def profiles(folder: Path, *urls: str) -> dict[str, str]:
    """Write a file of profiles, each with its own password, and return an environment that names it."""
    secret = folder / "password"
    secret.write_text(DEMO_PASSWORD, encoding="utf-8")
    secret.chmod(0o600)
    file = folder / "config.toml"
    file.write_text(
        "".join(
            f'[profile.p{place}]\nurl = "{url}"\nuser = "demo"\npassword_file = "password"\n'
            f"max_numbers = {50 + place}\nmax_numbers_per_request = 5\nrate = 5\n"
            for place, url in enumerate(urls)
        ),
        encoding="utf-8",
    )
    file.chmod(0o600)
    return environment(BULK_REMOVE_CONFIG=str(file), BULK_REMOVE_PASSWORD="")


@contextmanager
def page(folder: Path, env: dict[str, str], *words: str, opens: str = "--no-browser") -> Iterator[tuple[str, Warm]]:
    """Start the command; gives its link."""
    told, tells = os.pipe()
    env = {name: value for name, value in env.items() if value}
    with (
        os.fdopen(told, encoding="utf-8") as said,
        started("ui", "--state-dir", folder / "state", opens, *words, env=env, out=tells) as process,
    ):
        os.close(tells)
        try:
            found = re.search(r"http://\S+", said.readline())
            assert found
            yield found[0], process
        finally:
            process.kill()


@asynccontextmanager
async def logged_in(link: str) -> AsyncIterator["Browser"]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(link) as reply:
            assert reply.status == 200
        base = link.partition("/login/")[0]
        async with session.get(f"{base}/") as reply:
            start = await reply.text()
        token = re.search(r'name="token" content="([^"]+)"', start)
        assert token
        yield Browser(session, base, token[1], start)


class Browser:
    def __init__(self, session: aiohttp.ClientSession, base: str, token: str, start: str) -> None:
        self._session = session
        self._headers = {"Origin": "/".join(base.split("/")[:3]), "X-Token": token, "X-Name": "opt-outs.csv"}
        self.base = base
        self.start = start

    async def post(self, place: str, data: Any) -> dict[str, Any]:
        async with self._session.post(f"{self.base}/{place}", data=data, headers=self._headers) as reply:
            answer: dict[str, Any] = await reply.json()
            return answer

    async def get(self, place: str, until: str) -> str:
        """Return a page once it says so."""
        async with asyncio.timeout(60):
            while True:
                async with self._session.get(f"{self.base}/{place}") as reply:
                    if re.search(until, text := await reply.text()):
                        return text
                await asyncio.sleep(0.02)

    async def send(self, profile: str) -> None:
        """Have the numbers planned, and confirm them."""
        assert await self.post("upload", ("telefon\n" + "\n".join(NUMBERS)).encode()) == {}
        assert "go" in await self.post("plan", {"profile": profile, "campaign": "00001"})
        await self.get("work", "/confirm")
        plan = re.search(r'name="plan" value="([^"]+)"', await self.get("confirm", "typed"))
        assert plan
        assert "go" in await self.post("confirm", {"plan": plan[1], "typed": str(len(NUMBERS))})


async def test_ctrl_c_stops_the_run_of_the_page_safely_and_it_can_be_resumed(tmp_path: Path, server: Running) -> None:
    env = profiles(tmp_path, server.url)
    with page(tmp_path, env, "--profile", "p0", "--max-numbers", "100") as (link, process):
        async with logged_in(link) as browser:
            await browser.send("p0")
            await browser.get("state", r'"removed": "[1-9]')
            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait, 60) == 0
    removed = server.audit.read_text(encoding="utf-8").count('"DELETE"')
    assert 0 < removed < len(NUMBERS) // 5
    done = bulk_remove("resume", "--yes", "--profile", "p0", "--state-dir", tmp_path / "state", env=env)
    assert done.returncode == 0, done.stderr
    assert (await asyncio.to_thread(server.audit.read_text, encoding="utf-8")).count('"DELETE"') == len(NUMBERS) // 5


async def test_each_profile_is_offered_with_its_own_limits_and_no_password_is_shown(
    tmp_path: Path, server: Running
) -> None:
    env = profiles(tmp_path, server.url, server.url, "https://127.0.0.1:9")
    with page(tmp_path, env) as (link, process):
        async with logged_in(link) as browser:
            assert re.findall(r'<option value="(p\d)"', browser.start) == ["p0", "p1", "p2"]
            assert "1,000,000 records" in (await browser.post("campaigns", {"profile": "p1"}))["html"]
            assert "problem" in await browser.post("campaigns", {"profile": "p2"})
            for profile, most in (("p0", 50), ("p1", 51)):
                await browser.post("upload", ("telefon\n" + "\n".join(NUMBERS)).encode())
                await browser.post("plan", {"profile": profile, "campaign": "00001"})
                assert "60 numbers would be sent" in (told := await browser.get("work", 'role="alert"><p'))
                assert f"the limit is {most}" in told
                assert DEMO_PASSWORD not in told
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert not [path for path in (tmp_path / "state").rglob("*") if path.suffix == ".html"]


def test_the_browser_is_given_a_private_file_and_not_the_link_itself(tmp_path: Path) -> None:
    """Everybody on the machine can read the words of a process."""
    browser, seen = tmp_path / "browser.py", tmp_path / "seen"
    browser.write_text(
        "import os, sys\nfrom pathlib import Path\nfrom urllib.request import url2pathname\n"
        "file = Path(url2pathname(sys.argv[1].removeprefix('file://')))\n"
        f"seen = Path({str(seen)!r})\n"
        "seen.with_suffix('.part').write_text(f'{sys.argv[1]} {file.stat().st_mode & 0o777:o} {file.read_text()}')\n"
        "os.rename(seen.with_suffix('.part'), seen)\n",
        encoding="utf-8",
    )
    env = environment(BROWSER=f"{sys.executable} {browser} %s")
    with page(tmp_path, env, opens="--browser") as (link, _):
        deadline_s = time.monotonic() + 60
        while not seen.exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        given, mode, content = seen.read_text(encoding="utf-8").split(" ", 2)
        assert link.rpartition("/")[2] not in given
        assert mode == "600"
        assert f"url={link}" in content


def test_a_page_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    with page(tmp_path, environment()) as (link, _):

        async def asked() -> dict[str, Any]:
            async with logged_in(link) as browser:
                return await browser.post("campaigns", {"profile": ""})

        assert "No server is given." in str(asyncio.run(asked()))
