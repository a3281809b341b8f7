"""The settings of a run, checked once and then frozen. A wrong setting raises a UsageError that names it.

`Settings` is the only table of them. Each field has a type, a default and a `Setting`; its flag, its variable, its
profile key and its help follow from these. A check returns the value to keep (enum members, lists as tuples, paths as
text) or raises Unfit. Errors name the flag, or for Python users the field; see `bulk_remove.errors`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, IntEnum, StrEnum, auto
from functools import partial
from ipaddress import ip_address
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_type_hints
from urllib.parse import urlsplit

from bulk_remove.core.chunker import MAX_NUMBERS_PER_REQUEST, MAX_REQUEST_LINE, RequestShape
from bulk_remove.core.conditions import Condition, is_campaign
from bulk_remove.core.limits import MAX_INVALID, MAX_NOT_EXIST, Limits
from bulk_remove.core.model import Brackets, CsvFor, NumberFormat, ReportFormat, harmless, mask
from bulk_remove.core.numbers import (
    AlsoTry,
    Forms,
    Held,
    Normaliser,
    NumberRules,
    chosen_forms,
    holds_internal,
    parse_also_try,
)
from bulk_remove.core.spelling import region_of
from bulk_remove.core.throttle import Ceilings, Level, ceilings_of
from bulk_remove.core.timeline import Window, read_window
from bulk_remove.errors import FIELDS, UsageError
from bulk_remove.language import one_line, phrase

E = TypeVar("E", bound=StrEnum)
Check = Callable[[Any], Any]

_LONGEST_SHOWN = 40


class Unfit(Exception):  # noqa: N818 - half of an error: `checked` adds the setting's name
    """A wrong value: `why` completes "... is 7, ", `hint` says which values are right."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def checked(flag: str, value: Any, check: Check) -> Any:
    """Check a value and return it in the form to keep. Raises a UsageError that names the flag."""
    try:
        return check(value)
    except Unfit as unfit:
        raise UsageError(
            phrase("{flag} is {value}, {why}.", flag=flag, value=_shown(value), why=unfit.why), unfit.hint
        ) from None


def _shown(value: Any) -> str:
    """Return a value for an error message, shortened and with long numbers masked: they may be phone numbers."""
    if not isinstance(value, str | int | float | type(None)):
        return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = re.sub(r"[0-9]{7,}", lambda found: mask(found[0]), repr(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def number(least: float, most: float, *, integral: bool = False) -> Check:
    """Return a check for a number from `least` to `most`, or a whole one; nan and infinity are refused."""
    hint = phrase("Give a value from {least:,.10g} to {most:,.10g}.", least=least, most=most)

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Integral if integral else Real):
            raise Unfit(phrase("which is not a whole number") if integral else phrase("which is not a number"), hint)
        found = int(value) if isinstance(value, Integral) else float(value)
        if not least <= found <= most:
            raise Unfit(phrase("which is out of range"), hint)
        return found

    return check


whole = partial(number, integral=True)


def share(value: Any) -> float:
    """Check a share from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise Unfit(phrase("which is not a share from 0 to 1"), "Give a share from 0 to 1, where 0.2 means 20%.")
    return float(value)


def yes_or_no(value: Any) -> bool:
    """Check a bool; other values, such as 0 or "yes", are refused."""
    if not isinstance(value, bool):
        raise Unfit(phrase("which is neither True nor False"), "Give True or False.")
    return value


def one_of(kinds: type[E]) -> Callable[[Any], E]:
    """Return a check for a member of an enumeration, or the value of one."""

    def check(value: Any) -> E:
        try:
            return kinds(value)
        except ValueError:
            listed = ", ".join(kind.value for kind in kinds)
            raise Unfit(phrase("which is unknown"), phrase("Give one of {listed}.", listed=listed)) from None

    return check


def _listed(value: Any, example: str) -> Iterable[Any]:
    if isinstance(value, str) or hasattr(value, "__fspath__") or not isinstance(value, Iterable):
        raise Unfit(phrase("which is not a list"), phrase("Give a list, such as {example}.", example=[example]))
    return value


def several_of(kinds: type[E]) -> Callable[[Any], tuple[E, ...]]:
    """Return a check for a list of members of an enumeration; duplicates are dropped."""
    member = one_of(kinds)

    def check(value: Any) -> tuple[E, ...]:
        return tuple(dict.fromkeys(map(member, _listed(value, next(iter(kinds)).value))))

    return check


def windows(value: Any) -> tuple[str, ...]:
    """Check a list of texts such as `mon-fri 20:00-06:00`; they are kept as text."""
    example = "20:00-06:00"
    kept = tuple(map(text, _listed(value, example)))
    other = next((each for each in kept if read_window(each) is None), None)
    if other is not None:
        hint = phrase("Give a list, such as {example}.", example=[example])
        raise Unfit(phrase("in which {other} is not a window", other=_shown(other)), hint)
    return kept


def conditions(value: Any) -> tuple[str, ...]:
    """Check a list of conditions on rows, each COLUMN=VALUE. Raises UsageError as well as Unfit."""
    texts = tuple(dict.fromkeys(map(text, _listed(value, "zgoda=NIE"))))
    read: dict[str, Condition] = {}
    for condition in map(Condition.parse, texts):
        other = read.setdefault(condition.column.casefold(), condition)
        if not other.holds(condition.value):
            raise UsageError(
                phrase(
                    "--where asks for '{one}' and for '{other}', but no row can meet both.",
                    one=harmless(f"{other.column}={other.value}"),
                    other=harmless(f"{condition.column}={condition.value}"),
                ),
                "Give one value for each column. To take the rows of two values, run it once for each.",
            )
    return texts


def text(value: Any) -> str:
    """Check a text that is not empty."""
    if not isinstance(value, str):
        raise Unfit(phrase("which is not text"), "Give text, in quotes.")
    if not value:
        raise Unfit(phrase("which is empty"), "Name it, or leave it out.")
    return str(value)


LONGEST_REASON = 200


def reason(value: Any) -> str:
    """Check a short text in one line, without control characters; an empty one means none."""
    told = text_or_none(value).strip()
    if len(told) > LONGEST_REASON:
        hint = phrase("Give at most {most} characters, such as a ticket's name.", most=LONGEST_REASON)
        raise Unfit(phrase("which is too long"), hint)
    if one_line(told) != told:
        raise Unfit(phrase("which holds characters that cannot be shown"), "Give one line of plain text.")
    return told


_LIKE_A_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,2}\d){6,}")


def check_no_number(told: str, region: str) -> None:
    """Raise UsageError if a text holds a phone number: it is shown in places that must not hold one."""
    read = Normaliser(NumberRules(NumberFormat.DIGITS, region))
    told = "".join(str(int(each)) if each.isdecimal() else each for each in told)  # those of other scripts, too
    if any(read(re.sub(r"[^\d+]", "", found[0])).number for found in _LIKE_A_NUMBER.finditer(told)):
        raise UsageError(
            "The reason holds something that looks like a phone number.",
            "Leave it out: the report lists the numbers. If it is a ticket, put letters between its digits.",
        )


def path(value: Any) -> str:
    """Check a path, given as text or as a Path; an empty text means none."""
    return text_or_none(value.__fspath__() if hasattr(value, "__fspath__") else value)


def text_or_none(value: Any) -> str:
    """Check a text; an empty one means none."""
    return "" if value == "" else text(value)


def paths(value: Any) -> tuple[str, ...]:
    """Check a list of paths; duplicates are dropped."""
    kept = tuple(dict.fromkeys(map(path, _listed(value, "keep.csv"))))
    if "" in kept:
        raise Unfit(phrase("in which a path is empty"), "Name it, or leave it out.")
    return kept


def place(value: Any) -> str:
    """Check a column or a sheet: its name, or its place counted from 1."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        return text(value)
    return str(whole(1, 100_000)(value))


ALL = "all"
"""Means every campaign that the server lists."""


def campaigns(value: Any) -> str:
    """Check a campaign's identifier, or several with commas, or `all`; an empty text means none."""
    listed = [each.strip() for each in value.split(",")] if isinstance(value, str) else [""]
    if value != "" and listed != [ALL] and not all(map(is_campaign, listed)):
        raise Unfit(
            phrase("not five letters or digits"), "Give the identifier with its leading zeros, for example 00001."
        )
    return ",".join(dict.fromkeys(listed))


_SYSTEM = re.compile(r"[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?")
_DEFAULT_PORT = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Address:
    """The server's address: `origin` has scheme, host and port; `base_path` is usually empty."""

    origin: str
    base_path: str
    host: str

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.origin.startswith("https://")

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `https://SYSTEM.thulium.com`. Plain http is allowed only for this machine. Raises UsageError."""
        hint = "Give it as https://SYSTEM.thulium.com, or name the system with --system."
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageError("--url is not a URL.", hint) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError("--url is not an http(s) URL.", hint)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError("--url must not contain a user, a password or a query.", hint)
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise UsageError("--url is plain http: the password would be sent unencrypted.", "Use https://.")
        shown = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        origin = f"{parts.scheme}://{shown}:{port}" if port else f"{parts.scheme}://{shown}"
        # Each server needs exactly one spelling, because the campaign's lock is named after it.
        host = "127.0.0.1" if shown == "localhost" else shown.rstrip(".")
        if port and port != _DEFAULT_PORT[parts.scheme]:
            host = f"{host}:{port}"
        return cls(origin, parts.path.rstrip("/"), host)

    def destination(self, user: str, output: str = "") -> "Destination":
        """Return this address, the user and the report's path, for a later session."""
        return Destination(self.origin + self.base_path, self.host, self.base_path, user, output)

    @classmethod
    def of_system(cls, system: str) -> "Address":
        """Return the address of a Thulium system by its name. Raises UsageError."""
        if not _SYSTEM.fullmatch(system):
            raise UsageError(
                "--system is not a system's name.",
                "Give only NAME of https://NAME.thulium.com. For another address use --url.",
            )
        return cls.parse(f"https://{system.lower()}.thulium.com")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Destination:
    """The server, the user and the report of a run: what a later session needs besides the settings.

    `url` is the server's address with its path, `host` the part that is shown; both are empty for a plan without a
    server. `csv_for` is the format of report.csv; `also` lists the other reports to write. `planned` says who saved the
    plan that is run, if it was saved: plan, system_user, api_user, at. `left_out` are campaigns that `all` left out.
    """

    url: str = ""
    host: str = ""
    base_path: str = ""
    user: str = ""
    output: str = ""
    csv_for: CsvFor = CsvFor.PROGRAMS
    also: tuple[ReportFormat, ...] = ()
    planned: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def read_back(cls, public: Mapping[str, Any]) -> "Destination":
        """Return the destination from a ledger's JSON."""
        return cls(
            **{
                **public,
                "csv_for": CsvFor(public["csv_for"]),
                "also": tuple(map(ReportFormat, public["also"])),
                "left_out": tuple(map(str, public.get("left_out", ()))),
            }
        )


@dataclass(frozen=True, slots=True)
class Login:
    """The API user. The password is never shown."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user:
            raise UsageError("No API user is given.", "Set --user or BULK_REMOVE_USER.")
        if ":" in self.user:
            raise UsageError("--user contains a colon, which HTTP Basic does not allow.", "Check the API user's name.")
        if not self.password:
            raise UsageError(
                "No password is given.",
                "Name a private file with --password-file, set BULK_REMOVE_PASSWORD, or store it: bulk-remove login",
            )


class Part(Enum):
    """The topic of a setting; a command accepts the settings of whole parts."""

    INPUT = auto()
    GUARD = auto()
    REQUEST = auto()
    RETRY = auto()
    CONNECTION = auto()


class Later(IntEnum):
    """The commands that may change a setting of an earlier run: none, only rerun, or rerun and resume."""

    NEVER = 0
    RERUN = 1
    RESUME = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """How a field of `Settings` is checked, and its option on the command line.

    `again` is the help for commands that change an earlier run, if it differs. `read` converts the option's text, if
    the field does not accept text. `_table` fills in `field`, `option` (the field's name without `_s`), `flag`, `kinds`
    (types) and `default`.
    """

    part: Part
    check: Check
    help: str
    later: Later = Later.NEVER
    again: str = ""
    read: Callable[[str], Any] | None = None
    short: str = ""
    metavar: str = ""
    field: str = ""
    option: str = ""
    flag: str = ""
    kinds: frozenset[Any] = frozenset()
    default: Any = None


def _declared(part: Part, default: object, *what: Any, **more: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(part, *what, **more)})


_input, _guard, _request, _retry, _connection = (partial(_declared, part) for part in Part)
_RERUN, _RESUME = Later.RERUN, Later.RESUME


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run reads, plans and sends. Each field is checked; the defaults are those of the command line.

    Each field's help describes it. None means that the tool decides, or that there is no limit. Shares are from 0 to 1;
    fields that end with `_s` are seconds. Enums may be given by their values, paths as `Path`. Raises UsageError,
    which names the field.
    """

    campaign: str = _input(
        "",
        campaigns,
        "The campaign: 00001, several with commas, or all.",
        _RERUN,
        "The campaign; default: the report's.",
        short="-c",
    )
    """The campaign of all rows: five letters or digits, leading zeros and all.

    Several with commas, or `all` that the server lists: every number is asked for in each of them.
    """
    campaign_column: str | None = _input(None, place, "Take each row's campaign from this column: its name or place.")
    column: str | None = _input(None, place, "The phone column: its name, or its place from 1.")
    trust_column: bool = _input(False, yes_or_no, "Take the phone column even if it looks like something else.")
    sheet: str | None = _input(None, place, "Read this sheet of a workbook: its name, or its place from 1.")
    encoding: str | None = _input(None, text, "Encoding of a CSV file, such as cp1250; detected by default.")
    delimiter: str | None = _input(
        None,
        text,
        "Separator of a CSV file, a character or 'tab'; detected by default.",
        read=lambda value: {"tab": "\t", "\\t": "\t"}.get(value, value),
    )
    has_header: bool | None = _input(
        None, yes_or_no, "Say whether the first row has the names of the columns.", flag="--header"
    )
    internal_numbers: bool | None = _input(
        None, yes_or_no, "Send numbers of 3 to 6 digits; default: only if most are like that."
    )
    where: tuple[str, ...] = _input(
        (), conditions, "Remove only rows with this value; may be repeated.", metavar="COLUMN=VALUE"
    )
    """Conditions as "COLUMN=VALUE": remove only rows that meet all of them. COLUMN is a name, or a place from 1."""
    split_cells: bool = _input(False, yes_or_no, "Send each number of a cell that contains several.")
    max_invalid: float = _input(MAX_INVALID, share, "Stop if more than this share of the filled rows is invalid.")
    """The largest share of filled rows without a valid number, 0 to 1; above it the run stops before it sends."""
    also_try: tuple[AlsoTry, ...] = _input(
        (),
        several_of(AlsoTry),
        "Ask again in other forms: plus,international,zeros,national.",
        _RERUN,
        read=parse_also_try,
        metavar="FORMS",
    )
    keep: tuple[str, ...] = _input((), paths, "Never remove numbers in this file; may be repeated.", _RERUN)
    keep_skips: bool = _input(False, yes_or_no, "Leave kept numbers out instead of stopping.", _RERUN)
    keep_columns: bool = _input(False, yes_or_no, "Put the input's own columns first in the report.")
    number_format: NumberFormat = _input(
        NumberFormat.AUTO,
        one_of(NumberFormat),
        "Write numbers in this form; auto: as the campaign's records show.",
        _RERUN,
        "Form of the numbers; default: the earlier run's; auto: look again.",
    )
    region: str = _input(
        "PL",
        text,
        "Country of numbers without a country code.",
        _RERUN,
        "Country of numbers without a code; default: the earlier run's.",
    )

    max_numbers: int | None = _guard(
        None, whole(1, 1_000_000_000), "Stop if more numbers than this are for one campaign.", _RERUN
    )
    max_share: float | None = _guard(
        None, share, "Stop above this share of the campaign's records (50% if counted).", _RERUN
    )
    """The largest share of a campaign's records to remove, 0 to 1. None: half, if the records can be counted."""
    max_times_usual: float | None = _guard(
        None,
        number(0.1, 1_000_000),
        "Stop above this multiple of the campaign's usual run.",
        _RERUN,
    )
    additional_numbers: bool = _guard(
        False, yes_or_no, "Also remove a record if a number is among its additional ones.", _RERUN
    )
    canary: bool = _guard(False, yes_or_no, "Send one request first, check it, then the rest.", _RERUN)
    canary_max_not_exist: float = _guard(
        MAX_NOT_EXIST, share, "Stop if more than this share of the first request is not there.", _RESUME
    )
    stop_when_missing: float | None = _guard(
        None, share, "Stop at this share of missing numbers among the last 2,000.", _RESUME
    )

    reason: str = _guard(
        "",
        reason,
        "Note why the numbers go, such as a ticket; shown in the report.",
        _RERUN,
        "Note why the numbers go; default: the earlier run's reason.",
    )
    """Why the numbers are removed: a ticket, a legal ground. One line of at most 200 characters, no phone number."""

    brackets: Brackets = _request(
        Brackets.AUTO,
        one_of(Brackets),
        "Write [] encoded or raw; auto: raw if the server reads that.",
        _RERUN,
        "Write [] encoded or raw; default: as in the earlier run.",
    )
    trailing_slash: bool = _request(False, yes_or_no, "End the path with a slash: .../records/")
    max_request_line: int = _request(
        MAX_REQUEST_LINE, whole(1, 1_000_000), "Send request lines of at most this many bytes.", _RERUN
    )
    max_numbers_per_request: int = _request(
        MAX_NUMBERS_PER_REQUEST, whole(1, 100_000), "Send at most this many numbers in a request.", _RERUN
    )
    pace: Level = _request(
        Level.STEADY,
        one_of(Level),
        "Use this much of the server; fixed: always at the limits.",
        _RESUME,
        "Use this much of the server.",
    )
    """How much of the server to use. It sets limits, which `rate` and `concurrency` override.

    The API documents no limit, and its server also runs live calls.
    """
    slow_reply_s: float = _request(
        10.0, number(0.1, 3600), "Send smaller requests after a reply slower than this.", _RESUME
    )
    """A slower reply, in seconds, makes requests smaller. The default is a third of PHP's limit for a request."""
    hours: tuple[str, ...] = _request(
        (), windows, "Remove only in these hours, mon-fri 20:00-06:00; may be repeated.", _RESUME
    )
    """The hours for removals, in local time: "20:00-06:00", "mon-fri 20:00-06:00". Empty: always."""
    rate: float | None = _request(
        None,
        number(0.01, 1000),
        "Limit on requests a second; default: that of --pace.",
        _RESUME,
        "Limit on requests a second.",
    )
    """The limit in requests a second, for all runs of one user together. None: the limit of `pace`."""
    concurrency: int | None = _request(
        None,
        whole(1, 100),
        "Limit on parallel requests; default: that of --pace.",
        _RESUME,
        "Limit on parallel requests.",
    )

    tries: int = _retry(6, whole(1, 100), "Try a request without an answer this many times.", _RESUME)
    give_up_after_s: float = _retry(
        900.0, number(0, 7 * 86_400), "End the run if the server answers nothing for this long.", _RESUME
    )
    busy_for_s: float = _retry(
        1800.0,
        number(0, 7 * 86_400),
        "Ask again for a number in a call for this long.",
        _RESUME,
        "Ask again for a number in a call for this long from now.",
    )
    busy_delay_s: float = _retry(
        30.0, number(0.1, 86_400), "Wait this long for a call to end; each wait doubles.", _RESUME
    )

    ca_file: str = _connection("", path, "Also trust the CA in this PEM file.", _RESUME)
    proxy: str = _connection("", text_or_none, "Use this proxy instead of HTTPS_PROXY.", _RESUME)
    """The proxy to use instead of HTTPS_PROXY; empty for none. It may contain a user and a password."""
    connect_timeout_s: float = _connection(10.0, number(0.1, 3600), "Give up a connection after this long.", _RESUME)
    timeout_s: float = _connection(60.0, number(0.1, 3600), "Give up a request after this long.", _RESUME)

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            given = getattr(self, name)
            if given is not None or type(None) not in setting.kinds:
                object.__setattr__(self, name, checked(setting.flag, given, setting.check))
        # A later session may start in another folder.
        object.__setattr__(self, "keep", tuple(str(Path(each).absolute()) for each in self.keep))
        if bool(self.campaign) == bool(self.campaign_column):
            raise UsageError(
                "Both --campaign and --campaign-column are given." if self.campaign else "No campaign is given.",
                "Give --campaign for all rows, or --campaign-column to read it from each row.",
            )
        if self.reason:
            check_no_number(self.reason, self.region)
        self.forms()

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns of all rows; empty if they are in a column, or not listed yet."""
        return () if self.campaign in {"", ALL} else tuple(self.campaign.split(","))

    @property
    def rules(self) -> NumberRules:
        """How cells are read as numbers."""
        return NumberRules(self.number_format, self.region, internal_numbers=self.internal_numbers is True)

    @property
    def limits(self) -> Limits:
        """The limits on one campaign's removals."""
        return Limits(self.max_numbers, self.max_share, self.max_times_usual)

    def forms(self) -> Forms:
        """Return the forms in which a number is asked for. Raises UsageError if `also_try` does not fit."""
        return Forms(self.rules, self.also_try)

    def in_forms_of(self, held: Mapping[str, Held]) -> "Settings":
        """Return the settings with the forms that the campaigns' records have; forms that were given stay.

        If the records show no form, the national one is a guess.
        """
        all_held = sum(map(Counter[str], held.values()), Counter[str]())
        internal = True if self.internal_numbers is None and holds_internal(all_held) else self.internal_numbers
        number_format, also_try = self.number_format, self.also_try
        if number_format is NumberFormat.AUTO:
            number_format, also_try = chosen_forms(all_held, also_try, self.region)
        return replace(self, number_format=number_format, also_try=also_try, internal_numbers=internal)

    def confirmed_by(self, held: Held) -> bool:
        """Return whether NOT_EXIST is certain, from the forms that a campaign's records have.

        The records do not show additional numbers; with those it is certain only if every form is asked for.
        """
        forms = self.forms()
        return forms.confirmed_by(held) and (not self.additional_numbers or {*forms.asked} == {*AlsoTry})

    @property
    def windows(self) -> tuple[Window, ...]:
        """The hours, as windows."""
        return tuple(window for text in self.hours if (window := read_window(text)) is not None)

    def ceilings(self) -> Ceilings:
        """Return the limits on rate and concurrency, and the values to start with."""
        return ceilings_of(self.pace, self.rate, self.concurrency)

    def shape(self, campaign: str, base_path: str) -> RequestShape:
        """Return the form of a campaign's requests. Raises UsageError when no number fits into one."""
        return RequestShape(
            campaign,
            base_path,
            self.brackets,
            self.trailing_slash,
            self.max_request_line,
            self.max_numbers_per_request,
            self.additional_numbers,
            region_of(self.region),
        )

    def public(self) -> dict[str, object]:
        """Return all settings for the ledger and the summary, without the proxy's credentials."""
        # In any spelling of the address, the credentials end at its last @.
        return {**asdict(self), "proxy": self.proxy.rpartition("@")[2]}

    @classmethod
    def read_back(cls, public: Mapping[str, object]) -> "Settings":
        """Return the settings from what `public` returned."""
        return cls(**cast("Mapping[str, Any]", public))


def _table() -> dict[str, Setting]:
    table = {}
    for name, kind in get_type_hints(Settings).items():
        declared = Settings.__dataclass_fields__[name]
        setting = declared.metadata["setting"]
        option = name.removesuffix("_s")
        flag = setting.flag or f"--{option.replace('_', '-')}"
        FIELDS[flag.removeprefix("--")] = name
        kinds = frozenset(get_args(kind) or {kind})
        table[name] = replace(setting, field=name, option=option, flag=flag, kinds=kinds, default=declared.default)
    return table


SETTINGS: Mapping[str, Setting] = _table()
"""Every setting by the name of its field."""
