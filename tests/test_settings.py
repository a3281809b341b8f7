import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bulk_remove import errors
from bulk_remove.cli.commands import program
from bulk_remove.cli.profiles import settings_of
from bulk_remove.core.model import Brackets, NumberFormat
from bulk_remove.core.numbers import AlsoTry, Held, Rest
from bulk_remove.core.throttle import Level
from bulk_remove.core.timeline import Window
from bulk_remove.errors import UsageError, in_python
from bulk_remove.settings import SETTINGS, Address, Later, Settings
from tests.language.texts import all_texts


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


def test_enums_lists_paths_and_places_may_be_given_as_they_are_written() -> None:
    given: dict[str, Any] = {
        "number_format": "e164",
        "brackets": "raw",
        "pace": "gentle",
        "also_try": ["national", "zeros"],
        "hours": ["mon-fri 20:00-06:00"],
        "ca_file": Path("ca.pem"),
        "column": 2,
    }
    settings = Settings("00001", **given)
    assert settings.number_format is NumberFormat.E164
    assert settings.brackets is Brackets.RAW
    assert settings.pace is Level.GENTLE
    assert settings.also_try == (AlsoTry.NATIONAL, AlsoTry.ZEROS)
    assert settings.windows == (Window(1200, 1800, frozenset(range(5))),)
    assert (settings.ca_file, settings.column) == ("ca.pem", "2")
    assert Settings.read_back(settings.public()) == settings


WRONG: dict[type, list[Any]] = {
    bool: [1, 0, "no", "true"],
    int: ["5", 2.5, True, float("nan")],
    float: ["0.5", True, float("nan"), float("inf"), b"1"],
    str: [7.5, b"x", ["x"]],
    tuple: ["plus", 1],
}


def kind_of(name: str) -> type:
    """Return the type of a field's value, by its annotation: the first that is named."""
    found = re.search("bool|tuple|int|float|str", str(Settings.__annotations__[name]))
    return {"bool": bool, "tuple": tuple, "int": int, "float": float, "str": str}[found[0]] if found else str


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_each_field_refuses_what_it_cannot_be_by_its_own_name_and_by_its_flag(name: str) -> None:
    others: dict[str, Any] = {} if name.startswith("campaign") else {"campaign": "00001"}
    for value in WRONG[kind_of(name)]:
        with pytest.raises(UsageError) as caught:
            Settings(**{**others, name: value})
        assert str(caught.value).startswith(f"{name} is "), value
        assert caught.value.sentence.startswith(f"{SETTINGS[name].flag} is "), value


def test_a_share_in_percent_is_refused_with_how_it_is_written() -> None:
    for name in ("max_invalid", "max_share", "canary_max_not_exist"):
        wrong: dict[str, Any] = {name: 20}
        with pytest.raises(UsageError, match=re.escape(f"{name} is 20, which is not a share from 0 to 1. ")) as caught:
            replace(Settings("00001"), **wrong)
        assert "0.2 means 20%" in str(caught.value)


@pytest.mark.parametrize(
    "reason",
    ["", "RODO-118, art. 17", "INC0012345", "2026/11/0045", "Zgłoszenie 2026112810000045", " ticket 7 ", "x" * 200],
)
def test_a_reason_is_one_short_line(reason: str) -> None:
    assert Settings("00001", reason=reason).reason == reason.strip()


@pytest.mark.parametrize("reason", ["x" * 201, "one\ntwo", "a\x1b[31mred", "\u202egnol"])
def test_a_reason_that_cannot_be_shown_in_a_line_is_refused(reason: str) -> None:
    with pytest.raises(UsageError, match="reason is "):
        Settings("00001", reason=reason)


@pytest.mark.parametrize(
    "reason",
    [
        "601234567",
        "for +48 601 234 567",
        "tel.601-234-567!",
        "(22) 123 45 67 asked",
        "0048 601234567",
        "601_234_567",
        "601\u2013234\u2013567",
        "601, 234, 567",
        "\uff16\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        "\u0666\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    ],
)
def test_a_reason_that_holds_a_phone_number_is_refused_and_not_shown(reason: str) -> None:
    with pytest.raises(UsageError, match="looks like a phone number") as caught:
        Settings("00001", reason=reason)
    assert not any(char.isdigit() for char in str(caught.value))


@pytest.mark.parametrize("region", ["", "XX", "Polska"])
def test_a_region_that_there_is_not_is_refused(region: str) -> None:
    with pytest.raises(UsageError, match="region is "):
        Settings("00001", region=region)


def test_each_field_has_a_flag_and_each_flag_leads_back_to_its_field() -> None:
    flags = {flag for param in settings_of(program).values() for flag in param.opts}
    for field in fields(Settings):
        assert SETTINGS[field.name].flag in flags
        assert in_python(f"Check {SETTINGS[field.name].flag}.") == f"Check {field.name}."


@pytest.mark.parametrize(("command", "later"), [("run", Later.NEVER), ("rerun", Later.RERUN), ("resume", Later.RESUME)])
def test_each_command_takes_the_settings_that_it_may_change(command: str, later: Later) -> None:
    taken = {param.name for param in program.commands[command].params}
    assert {each.option for each in SETTINGS.values() if each.later >= later} == taken & {
        each.option for each in SETTINGS.values()
    }


@pytest.mark.parametrize("command", ["rerun", "resume"])
def test_what_a_later_run_is_not_told_stays_as_it_was(command: str) -> None:
    with program.commands[command].make_context(command, ["a-run"]) as ctx:
        given = {each.option: ctx.params[each.option] for each in SETTINGS.values() if each.option in ctx.params}
    assert {name for name, value in given.items() if value not in (None, ())} == set()


def test_the_default_that_help_shows_is_the_settings_own() -> None:
    with program.commands["run"].make_context("run", ["numbers.csv", "-c", "00001"]) as ctx:
        given = {name: ctx.params[each.option] for name, each in SETTINGS.items()}
    read = {
        name: each.read(given[name]) if each.read and given[name] else given[name] for name, each in SETTINGS.items()
    }
    assert Settings(**{**read, "also_try": ()}) == Settings("00001")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("let it through with --max-numbers 12,345 --max-share 33.3334%.", "max_numbers=12345 max_share=0.333334."),
        ("for example --no-header --column 2.", "has_header=False column=2."),
        ("Did you mean --sheet 'Do usunięcia'?", "Did you mean sheet='Do usunięcia'?"),
        ("Name another with --state-dir, or --system.", "Name another with state_dir, or url."),
        ("--give-up-after is 5", "give_up_after_s is 5"),
        (
            "go on with: bulk-remove resume x --canary-max-not-exist 5%",
            "bulk-remove resume x --canary-max-not-exist 5%",
        ),
        ("`bulk-remove runs list --json` names them; check --state-dir.", "--json` names them; check state_dir."),
    ],
)
def test_python_is_told_of_fields_and_of_commands_as_they_are_typed(told: str, meant: str) -> None:
    assert in_python(told).endswith(meant)


_NOT_FROM_PYTHON = {"yes", "config", "notify", "password_env", "password_file", "password_command"}
"""What the command line alone has."""


def test_no_sentence_names_a_setting_that_python_knows_by_another_name() -> None:
    known = (
        {field.name for field in fields(Settings)}
        | {
            "url",
            "user",
            "output",
            "overwrite",
            "state_dir",
            "state",
            "plan",
            "save",
            "max_age_s",
            "look_max",
            "backup",
        }
        | _NOT_FROM_PYTHON
    )
    below = ("core/", "run/", "reader/", "ledger/", "sending/", "report/", "settings.py")
    for text, place in all_texts().items():
        for each in (text,) if isinstance(text, str) else text:
            if place.startswith(below) and "console/" not in place:
                for flag in errors._FLAG.finditer("".join(errors._COMMAND.split(each)[::2])):
                    assert re.split("=", in_python(flag[0]))[0] in known, (flag[0], place)


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


def test_a_run_that_was_begun_before_there_were_hours_has_none() -> None:
    public = Settings("00001").public()
    del public["hours"]
    assert Settings.read_back(public).windows == ()


def test_conditions_that_no_row_can_meet_together_are_refused() -> None:
    with pytest.raises(UsageError, match="'zgoda=NIE' and for 'Zgoda=TAK', but no row can meet both") as found:
        Settings("00001", where=("zgoda=NIE", "city=TAK", "Zgoda=TAK"))
    assert str(found.value).startswith("where asks for")
    assert len(Settings("00001", where=("zgoda=NIE", "zgoda= nie ", "city=TAK")).where) == 3


def test_a_list_of_paths_names_none_that_is_empty() -> None:
    with pytest.raises(UsageError, match="in which a path is empty"):
        Settings("00001", keep=("keep.csv", ""))
