"""What is known of a country's numbers. All of it is libphonenumber's, by way of the phonenumbers package."""

from dataclasses import dataclass
from functools import lru_cache

from bulk_remove.errors import UsageError

MAX_DIGITS = 15
"""The most that ITU-T E.164 allows, country code included."""

TOO_MANY_DIGITS = "More than fifteen digits: perhaps more than one number, and no spreadsheet keeps so many."
"""Excel keeps fifteen digits and makes zeros of the rest."""

_EXAMPLES = {"PL": "601234555"}
"""That of the documents; for other regions libphonenumber has one."""
NO_SUCH_NUMBER = "No number of its country looks like this."
_LETTERS_OF_A_REGION = 2
TOO_SHORT = "Too short for its country."
ZERO = "A zero in front or after the country code: nobody can tell whether it belongs to the number."


@dataclass(frozen=True, slots=True)
class Region:
    """What there is to know of a region, with its figures for PL.

    `country_code` is 48. `international_prefix` is 00, empty where a country has several: which digits are the
    prefix and which the country code would be a guess. `full_lengths` are those of a mobile number, 9: subscribers'
    numbers of other lengths cannot be told from internal ones. `longest` is the longest national number, 10.
    `example` is a national number that is nobody's data.
    """

    country_code: str
    international_prefix: str
    full_lengths: frozenset[int]
    longest: int
    example: str = ""


POLAND = Region("48", "00", frozenset({9}), 10, "601234555")


def region_of(name: str) -> Region:
    """Return the region with this name (ISO 3166, two letters). Raises UsageError for an unknown one."""
    from phonenumbers import PhoneMetadata, PhoneNumberDesc  # noqa: PLC0415 - costs 30 ms, as below

    metadata = PhoneMetadata.metadata_for_region(name.upper())
    if metadata is None:
        raise UsageError("--region is not a country that is known.", "Give its two letters, for example PL.")
    general = metadata.general_desc or PhoneNumberDesc()
    prefix = metadata.international_prefix or ""
    return Region(
        str(metadata.country_code),
        prefix if prefix.isdecimal() else "",
        frozenset((metadata.mobile or general).possible_length),
        max(general.possible_length),
        _EXAMPLES.get(name.upper()) or (metadata.mobile or general).example_number or "",
    )


def is_country_code(digits: str) -> bool:
    """Tell whether a country, or a service of many, has this code."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # noqa: PLC0415 - as below

    return digits[0] != "0" and int(digits) in COUNTRY_CODE_TO_REGION_CODE


@lru_cache(maxsize=1024)
def is_name_of(region: str, text: str) -> bool:
    """Tell whether a text in capital letters names the region: two or three letters, or its name in any language."""
    if len(text) == _LETTERS_OF_A_REGION:
        return text == region.upper()
    from phonenumbers.geodata.locale import LOCALE_DATA  # noqa: PLC0415 - a third of a second, seldom needed

    names = {name.upper() for name in LOCALE_DATA.get(region.upper(), {}).values()}
    return text in names or (len(text) == _LETTERS_OF_A_REGION + 1 and any(name.startswith(text) for name in names))


def problem_in_plan(digits: str, *, certain: bool) -> str:
    """Return why the country's numbering plan has no such number, or an empty text.

    `digits` begin with a country code. As a rule the length decides, for plans change. What must be `certain` goes by
    the plan's ranges: in the own country, where a length of its own stands for a service, and wherever nothing but the
    digits tells where the country code ends. So does a zero after the country code: Italy's numbers have one,
    elsewhere it is a habit.
    """
    from phonenumbers import (  # noqa: PLC0415 - costs 30 ms, and importing this module must not
        NumberParseException,
        ValidationResult,
        is_possible_number_with_reason,
        is_valid_number,
        national_significant_number,
        parse,
    )

    if len(digits) > MAX_DIGITS:
        return TOO_MANY_DIGITS
    try:
        parsed = parse(f"+{digits}")
    except NumberParseException as error:
        unknown = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return "No country has this code." if unknown else TOO_SHORT
    code, national = str(parsed.country_code), national_significant_number(parsed)
    possible = is_possible_number_with_reason(parsed)
    if (digits[len(code) :].startswith("0") and not is_valid_number(parsed)) or code + national != digits:
        return ZERO
    if possible in {ValidationResult.TOO_SHORT, ValidationResult.TOO_LONG}:
        return TOO_SHORT if possible == ValidationResult.TOO_SHORT else "Too long for its country."
    if possible != ValidationResult.IS_POSSIBLE or (certain and not is_valid_number(parsed)):
        return NO_SUCH_NUMBER
    return ""


def is_subscriber(digits: str) -> bool:
    """Tell whether digits that begin with their country code are certainly a telephone's number.

    Freephone numbers and pagers are none: in Poland theirs have other lengths, as a number that lost a digit has.
    """
    from phonenumbers import PhoneNumberType, number_type, parse  # noqa: PLC0415 - as above

    telephones = {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    }
    return not problem_in_plan(digits, certain=True) and number_type(parse(f"+{digits}")) in telephones
