import json
from dataclasses import replace

import pytest

from bulk_remove.core.forms import AlsoTry, Held, Rest
from bulk_remove.core.model import NumberFormat
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


PLUS, NATIONAL, ZEROS = AlsoTry.PLUS, AlsoTry.NATIONAL, AlsoTry.ZEROS


def test_the_form_is_that_of_the_records_unless_it_was_given() -> None:
    held: dict[str, Held] = {"00001": {PLUS: 80, NATIONAL: 20}, "00002": {NATIONAL: 90}}
    found = Settings("00001", also_try=(ZEROS,)).in_forms_of(held)
    assert (found.number_format, found.also_try) == (NumberFormat.NATIONAL, (PLUS, ZEROS))
    given = Settings("00001", number_format=NumberFormat.DIGITS)
    assert given.in_forms_of(held) == given
    unseen = Settings("00001").in_forms_of({})
    assert (unseen.number_format, unseen.also_try, unseen.internal_numbers) == (NumberFormat.NATIONAL, (), None)


@pytest.mark.parametrize("number_format", [NumberFormat.AUTO, NumberFormat.NATIONAL])
def test_internal_numbers_are_let_through_where_the_records_hold_such_unless_it_was_said(
    number_format: NumberFormat,
) -> None:
    held: dict[str, Held] = {"00001": {Rest.INTERNAL: 30, NATIONAL: 20}}
    auto = Settings("00001", number_format=number_format)
    assert auto.in_forms_of(held).internal_numbers is True
    assert auto.in_forms_of({"00001": {NATIONAL: 50}}).internal_numbers is None
    assert Settings("00001", internal_numbers=False).in_forms_of(held).internal_numbers is False


def test_what_the_list_does_not_show_confirms_nothing_about_additional_numbers() -> None:
    held: Held = {NATIONAL: 50}
    wide = Settings("00001", additional_numbers=True)
    assert Settings("00001").confirmed_by(held)
    assert not wide.confirmed_by(held)
    assert replace(wide, also_try=(PLUS, AlsoTry.INTERNATIONAL, ZEROS)).confirmed_by(held)


def test_settings_are_read_back_as_they_were_settled() -> None:
    settled = Settings("00001").in_forms_of({"00001": {PLUS: 8, Rest.INTERNAL: 2, ZEROS: 1}})
    assert Settings.read_back(json.loads(json.dumps(settled.public()))) == settled
    assert settled.number_format is NumberFormat.E164
