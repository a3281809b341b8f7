import pytest

from bulk_remove.errors import UsageError
from bulk_remove.settings import Address, Settings


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://acme.thulium.com", "https://acme.thulium.com", "acme.thulium.com"),
        ("https://ACME.thulium.com:443/", "https://acme.thulium.com:443", "acme.thulium.com"),
        ("https://acme.thulium.com.", "https://acme.thulium.com.", "acme.thulium.com"),
        ("https://acme.thulium.com:8443/api/", "https://acme.thulium.com:8443", "acme.thulium.com:8443"),
        ("http://localhost:8080", "http://localhost:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_one_server_has_one_name_however_it_is_spelt(url: str, origin: str, host: str) -> None:
    address = Address.parse(url)
    assert (address.origin, address.host) == (origin, host)


def test_a_system_is_an_address() -> None:
    assert Address.of_system("Acme").origin == "https://acme.thulium.com"
    with pytest.raises(UsageError):
        Address.of_system("acme.evil.example/")


@pytest.mark.parametrize(
    "proxy", ["http://user:secret@proxy:3128", "user:secret@proxy:3128", "http://user:se@cret@proxy:3128"]
)
def test_the_credentials_of_a_proxy_are_in_no_summary(proxy: str) -> None:
    assert Settings("00001", proxy=proxy).public()["proxy"] == "proxy:3128"
