from base64 import b64encode

import pytest

from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.errors import UsageError
from bulk_remove.sending.client import Client
from bulk_remove.simulator.api import Rules
from bulk_remove.simulator.server import running
from tests.support.loopback_proxy import proxying
from tests.support.one_removal import connection, removed, world
from tests.support.raw_server import CERTIFICATES, SILENCE, answering, certified, closed_port, http

CA_FILE = str(CERTIFICATES / "ca.crt")
OWN_LOGIN = Rules().authorization
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


def told(reply: Reply | Fault) -> tuple[Effect, str]:
    assert isinstance(reply, Fault)
    return reply.effect, reply.kind


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
async def test_plain_http_stays_on_this_machine_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with running(world()) as server, proxying() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert isinstance(await removed(server.url), Reply)
        assert server.seen["DELETE"] == 1
        assert proxy.heads == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
async def test_the_environments_proxy_is_used_for_tls(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async with answering(http(), tls=certified("loopback")) as raw, proxying() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
        assert isinstance(await removed(f"https://127.0.0.1:{raw.port}", ca_file=CA_FILE), Reply)
        assert len(raw.heads) == 1
        assert [head.split(" HTTP/")[0] for head in proxy.heads] == [f"CONNECT 127.0.0.1:{raw.port}"]


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("spared", ["127.0.0.1", "127.0.0.1:PORT", "elsewhere.invalid, 127.0.0.1", "*"])
async def test_the_environment_may_spare_the_server_the_proxy(
    monkeypatch: pytest.MonkeyPatch, name: str, spared: str
) -> None:
    async with answering(http(), tls=certified("loopback")) as raw, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv(name, spared.replace("PORT", str(raw.port)))
        assert isinstance(await removed(f"https://127.0.0.1:{raw.port}", ca_file=CA_FILE), Reply)
        assert proxy.heads == []


@pytest.mark.parametrize("spared", ["", "127.0.0.1"], ids=["no NO_PROXY", "NO_PROXY"])
async def test_the_setting_overrides_the_environment(monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    async with answering(http(), tls=certified("loopback")) as raw, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
        monkeypatch.setenv("NO_PROXY", spared)
        given = f"http://127.0.0.1:{proxy.port}"
        assert isinstance(await removed(f"https://127.0.0.1:{raw.port}", proxy=given, ca_file=CA_FILE), Reply)
        assert len(proxy.heads) == 1


async def test_a_proxy_may_be_given_without_its_scheme() -> None:
    async with running(world()) as server, proxying("user:pw") as proxy:
        assert isinstance(await removed(server.url, proxy=f"user:pw@127.0.0.1:{proxy.port}"), Reply)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:secret@proxy:1080",
        "http://",
        "http://user:secret@proxy:99999",
        "http://user:secret@[::",
        "http://user:secret@a..b:3128",
        "http://us%3Aer:secret@proxy:3128",
    ],
)
def test_a_proxy_that_cannot_be_is_refused_without_showing_it(proxy: str) -> None:
    with pytest.raises(UsageError, match="proxy") as caught:
        Client(connection("https://system.invalid", proxy=proxy))
    assert "secret" not in f"{caught.value.sentence}{caught.value.hint}"
    assert caught.value.__context__ is None


LOGINS = {"user:secret": "user:secret", "jan%40firma:ha%C5%82o%3A%2F": "jan@firma:hało:/", "alone": "alone:"}


@pytest.mark.parametrize(("written", "meant"), LOGINS.items(), ids=LOGINS)
async def test_the_proxys_credentials_are_shown_to_the_proxy_alone(written: str, meant: str) -> None:
    shown = "Proxy-Authorization: Basic " + b64encode(meant.encode()).decode()
    async with answering(http(), tls=certified("loopback")) as raw, proxying(meant) as proxy:
        url, through = f"https://127.0.0.1:{raw.port}", f"http://{written}@127.0.0.1:{proxy.port}"
        assert isinstance(await removed(url, ca_file=CA_FILE, proxy=through), Reply)
        assert [head.count(shown) for head in proxy.heads] == [1]
        assert "Proxy-" not in raw.heads[0]


async def test_the_proxys_credentials_work_for_plain_http() -> None:
    async with running(world()) as server, proxying("user:secret") as proxy:
        reply = await removed(server.url, proxy=f"http://user:secret@127.0.0.1:{proxy.port}")
    assert isinstance(reply, Reply)


@pytest.mark.parametrize("login", ["", "user:secret@"], ids=["open proxy", "proxy with credentials"])
async def test_the_servers_credentials_are_not_shown_to_the_proxy(login: str) -> None:
    async with answering(http(), tls=certified("loopback")) as raw, proxying() as proxy:
        through = f"http://{login}127.0.0.1:{proxy.port}"
        await removed(f"https://127.0.0.1:{raw.port}", ca_file=CA_FILE, proxy=through)
        assert OWN_LOGIN in raw.heads[0]
        assert len(proxy.heads) == 1
        assert OWN_LOGIN not in proxy.heads[0]


REFUSALS = {
    "407 Proxy Authentication Required": (Effect.DENIED, "HTTP 407"),
    "403 Forbidden": (Effect.DENIED, "proxy"),
    "405 Method Not Allowed": (Effect.DENIED, "proxy"),
    "302 Found": (Effect.UNTOUCHED, "proxy"),
    "429 Too Many Requests": (Effect.UNTOUCHED, "proxy"),
    "502 Bad Gateway": (Effect.UNTOUCHED, "proxy"),
    "503 Service Unavailable": (Effect.UNTOUCHED, "proxy"),
    "504 Gateway Timeout": (Effect.UNTOUCHED, "proxy"),
}


@pytest.mark.parametrize(("refusal", "expected"), REFUSALS.items(), ids=REFUSALS)
async def test_a_tunnel_that_is_refused_touches_nothing(refusal: str, expected: tuple[Effect, str]) -> None:
    async with proxying(refusal=refusal) as proxy:
        reply = await removed("https://system.invalid", proxy=f"http://127.0.0.1:{proxy.port}")
        assert len(proxy.heads) == 1
    assert told(reply) == expected


@SCHEMES
async def test_wrong_credentials_for_the_proxy_end_the_run(scheme: str) -> None:
    async with proxying("user:secret") as proxy:
        reply = await removed(f"{scheme}://127.0.0.1:1", proxy=f"http://user:wrong@127.0.0.1:{proxy.port}")
    assert reply == Fault(Effect.DENIED, "HTTP 407", "The proxy asks for a user and password (HTTP 407).", 407)


@SCHEMES
async def test_a_proxy_out_of_reach_touches_nothing(scheme: str) -> None:
    reply = await removed(f"{scheme}://127.0.0.1:1", proxy=f"http://127.0.0.1:{closed_port()}")
    assert told(reply) == (Effect.UNTOUCHED, "proxy")


async def test_a_proxy_that_gives_no_tunnel_in_time_touches_nothing() -> None:
    async with answering(SILENCE) as silent:
        through = f"http://127.0.0.1:{silent.port}"
        reply = await removed("https://127.0.0.1:1", proxy=through, connect_timeout_s=0.1)
        assert [head.split(" ")[0] for head in silent.heads] == ["CONNECT"]
    assert told(reply) == (Effect.UNTOUCHED, "connect timeout")
