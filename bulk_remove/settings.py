"""What a run is told, checked once and then frozen. A setting that cannot be is a UsageError naming its flag."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from bulk_remove.core.campaigns import is_campaign
from bulk_remove.core.canary import MAX_NOT_EXIST
from bulk_remove.core.chunker import MAX_NUMBERS_PER_REQUEST, MAX_REQUEST_LINE, RequestShape
from bulk_remove.core.forms import AlsoTry, Forms
from bulk_remove.core.guards import MAX_INVALID, Limits
from bulk_remove.core.model import Brackets, CsvFor, NumberFormat, ReportFormat
from bulk_remove.core.numbers import NumberRules
from bulk_remove.core.throttle import Ceilings, Level, ceilings_of
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

_SYSTEM = re.compile(r"[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?")
_DEFAULT_PORT = {"https": 443, "http": 80}
MAX_RATE = 1000.0
MAX_CONCURRENCY = 100


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is: scheme, host and port in `origin`; `base_path` is usually empty."""

    origin: str
    base_path: str
    host: str

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.origin.startswith("https://")

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `https://SYSTEM.thulium.com`. Plain http is refused but for this machine. Raises UsageError."""
        hint = "Give it as https://SYSTEM.thulium.com, or name the system with --system."
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageError("--url is not a URL.", hint) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError("--url is not an http(s) URL.", hint)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError("--url may hold no user, no password and no query.", hint)
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise UsageError("--url is plain http: the password would travel in the open.", "Use https://.")
        shown = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        origin = f"{parts.scheme}://{shown}:{port}" if port else f"{parts.scheme}://{shown}"
        # One spelling for one server: the campaign's lock goes by it.
        host = "127.0.0.1" if shown == "localhost" else shown.rstrip(".")
        if port and port != _DEFAULT_PORT[parts.scheme]:
            host = f"{host}:{port}"
        return cls(origin, parts.path.rstrip("/"), host)

    def destination(self, user: str, output: str = "") -> "Destination":
        """Return what a later session needs to know of this address, with the user and the place of the report."""
        return Destination(self.origin + self.base_path, self.host, self.base_path, user, output)

    @classmethod
    def of_system(cls, system: str) -> "Address":
        """Return the address of a Thulium system by its name. Raises UsageError."""
        if not _SYSTEM.fullmatch(system):
            raise UsageError("--system is not a system's name.", "Give only SYSTEM of https://SYSTEM.thulium.com.")
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
    """Where a run sends to, as whom, and where its report goes: what a later session needs besides the settings.

    `url` is the server's address with its path, `host` what of it is shown; all empty for a plan without a server.
    `csv_for` says whom report.csv is for, `also` what else is written beside it.
    """

    url: str = ""
    host: str = ""
    base_path: str = ""
    user: str = ""
    output: str = ""
    csv_for: CsvFor = CsvFor.PROGRAMS
    also: tuple[ReportFormat, ...] = ()

    @classmethod
    def read_back(cls, public: Mapping[str, Any]) -> "Destination":
        """Return the destination that a ledger holds as JSON."""
        return cls(
            **{
                **public,
                "csv_for": CsvFor(public["csv_for"]),
                "also": tuple(map(ReportFormat, public["also"])),
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
            raise UsageError("--user holds a colon, which HTTP Basic does not allow.", "Check the API user's name.")
        if not self.password:
            raise UsageError(
                "No password is given.",
                "Set BULK_REMOVE_PASSWORD, BULK_REMOVE_PASSWORD_FILE or BULK_REMOVE_PASSWORD_COMMAND; "
                "or store it with: bulk-remove login",
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything else. Times in seconds, `rate` in requests a second, `max_request_line` in bytes.

    `campaign` is that of all rows, or `campaign_column` (a name or a position) holds one for each. What says how a
    file is read is None where it is found out; so is `internal_numbers`, whether numbers of three to six digits are
    sent. `max_invalid` is the share of invalid rows that stops a run, `also_try` the forms in which a number that is
    not there is asked for again. `max_numbers`, `max_share` and `max_times_usual` are the limits for one campaign
    (`core.guards.Limits`); `canary_max_not_exist` is the share of the canary's numbers that may not be there. With
    `additional_numbers` the server looks among the additional numbers of records, too.

    `pace` names the ceilings, which `rate` and `concurrency` overrule where they are given; the API documents no limit,
    and its server also runs live calls. A reply slower than `slow_reply_s` makes requests smaller: by default that is a
    third of the 30 seconds that PHP gives a request.
    """

    campaign: str = ""
    campaign_column: str | None = None
    column: str | None = None
    trust_column: bool = False
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    split_cells: bool = False
    internal_numbers: bool | None = None
    max_invalid: float = MAX_INVALID
    max_numbers: int | None = None
    max_share: float | None = None
    max_times_usual: float | None = None
    canary: bool = False
    canary_max_not_exist: float = MAX_NOT_EXIST
    also_try: tuple[AlsoTry, ...] = ()
    additional_numbers: bool = False
    keep_columns: bool = False
    number_format: NumberFormat = NumberFormat.NATIONAL
    region: str = "PL"
    brackets: Brackets = Brackets.ENCODED
    trailing_slash: bool = False
    max_request_line: int = MAX_REQUEST_LINE
    max_numbers_per_request: int = MAX_NUMBERS_PER_REQUEST
    pace: Level = Level.STEADY
    rate: float | None = None
    concurrency: int | None = None
    tries: int = 6
    give_up_after_s: float = 900.0
    busy_for_s: float = 1800.0
    busy_delay_s: float = 30.0
    connect_timeout_s: float = 10.0
    timeout_s: float = 60.0
    slow_reply_s: float = 10.0
    ca_file: str = ""
    proxy: str = ""

    def __post_init__(self) -> None:
        if bool(self.campaign) == bool(self.campaign_column):
            raise UsageError(
                "Both --campaign and --campaign-column are given." if self.campaign else "No campaign is given.",
                "Give --campaign for all rows, or --campaign-column for one that stands in each row.",
            )
        if self.campaign and not is_campaign(self.campaign):
            raise UsageError(
                phrase("--campaign is {campaign!r}, not five letters or digits.", campaign=self.campaign),
                "Give the identifier with its leading zeros, for example 00001.",
            )
        self.forms()
        if self.max_numbers is not None:
            _within("--max-numbers", self.max_numbers, 1, 1_000_000_000)
        if self.max_times_usual is not None:
            _within("--max-times-usual", self.max_times_usual, 0.1, 1_000_000)
        if self.rate is not None:
            _within("--rate", self.rate, 0.01, MAX_RATE)
        if self.concurrency is not None:
            _within("--concurrency", self.concurrency, 1, MAX_CONCURRENCY)
        _within("--tries", self.tries, 1, 100)
        _within("--max-numbers-per-request", self.max_numbers_per_request, 1, 100_000)
        _within("--max-request-line", self.max_request_line, 1, 1_000_000)
        _within("--busy-for", self.busy_for_s, 0, 7 * 86_400)
        _within("--busy-delay", self.busy_delay_s, 0.1, 86_400)
        _within("--give-up-after", self.give_up_after_s, 0, 7 * 86_400)
        _within("--timeout", self.timeout_s, 0.1, 3600)
        _within("--slow-reply", self.slow_reply_s, 0.1, 3600)
        _within("--connect-timeout", self.connect_timeout_s, 0.1, 3600)

    @property
    def rules(self) -> NumberRules:
        """How cells are read as numbers."""
        return NumberRules(self.number_format, self.region, internal_numbers=self.internal_numbers is True)

    @property
    def limits(self) -> Limits:
        """What may at most be asked of one campaign."""
        return Limits(self.max_numbers, self.max_share, self.max_times_usual)

    def forms(self) -> Forms:
        """Return the forms in which a number is asked for. Raises UsageError where there can be no others."""
        return Forms(self.rules, self.also_try)

    def ceilings(self) -> Ceilings:
        """Return what is never passed, and where to start."""
        return ceilings_of(self.pace, self.rate, self.concurrency)

    def shape(self, campaign: str, base_path: str) -> RequestShape:
        """Return how the requests of a campaign are written. Raises UsageError when no number fits."""
        return RequestShape(
            campaign,
            base_path,
            self.brackets,
            self.trailing_slash,
            self.max_request_line,
            self.max_numbers_per_request,
            self.additional_numbers,
        )

    def public(self) -> dict[str, object]:
        """Return all settings for the ledger and the summary. The proxy's credentials, if any, are left out."""
        # What stands before the last @ of a proxy's address are credentials, however it is written.
        return {**asdict(self), "proxy": self.proxy.rpartition("@")[2]}

    @classmethod
    def read_back(cls, public: Mapping[str, Any]) -> "Settings":
        """Return the settings that `public` told, but for the proxy's credentials."""
        return cls(
            **{
                **public,
                "number_format": NumberFormat(public["number_format"]),
                "brackets": Brackets(public["brackets"]),
                "pace": Level(public.get("pace", Level.STEADY)),
                "also_try": tuple(map(AlsoTry, public["also_try"])),
            }
        )


def _within(flag: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UsageError(
            phrase("{flag} is {value:g}, which is out of range.", flag=flag, value=value),
            phrase("Give a value from {least:g} to {most:g}.", least=least, most=most),
        )
