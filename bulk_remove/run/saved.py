"""Saved plans: one person plans and saves, another one runs the file. Only what was approved is sent.

The file holds no phone number, only digests: of each input, of each --keep list, and of the numbers to send. A digest
over the file itself shows changes by hand. It is not a signature: everybody who can write the file can compute it.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from bulk_remove import __version__
from bulk_remove.core.model import harmless
from bulk_remove.core.timeline import duration
from bulk_remove.disk import opened
from bulk_remove.errors import GuardStop, UnavailableError, UsageError
from bulk_remove.language import Phrase, joined, ours, phrase
from bulk_remove.ledger import Planning
from bulk_remove.reader.source import PIPED, STANDARD_INPUT
from bulk_remove.report.csv import planner_told, timestamp
from bulk_remove.run.look import new_file
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.prepare import Prepared, system_user
from bulk_remove.settings import SETTINGS, Address, Destination, Part, Settings, checked

PLAN_MAX_AGE_S = 86_400.0
"""The default age at which a saved plan is refused: lists and campaigns change from day to day."""
_KIND = "bulk-remove plan"
_MOST_BYTES = 1 << 24
_PLAN_ID = re.compile("[0-9]{8}-[0-9]{6}-[0-9a-f]{4}-[0-9a-f]{8}")  # never masked, although it has many digits
_AGAIN = "Make and approve a new plan with: bulk-remove plan --save."
_LEAVE_OUT = "Leave it out: the plan has it. To change it, make and approve a new plan."
_SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was saved. `asked` are the settings as they were given, `settings` those with the forms found."""

    path: Path
    plan_id: str
    url: str
    user: str
    made_by: Mapping[str, str]
    made_at_s: float
    files: tuple[str, ...]
    asked: Settings
    settings: Settings
    holds: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """The server that was planned for."""
        return Address.parse(self.url)

    @property
    def planned(self) -> dict[str, str]:
        """Who saved the plan, for ledger and summary."""
        return {"plan": self.plan_id, **self.made_by, "at": timestamp(self.made_at_s)}

    def with_connection(self, values: Mapping[str, Any], given: Iterable[str]) -> Settings:
        """Return the plan's settings with the connection of this machine.

        `values` are settings by field, `given` the fields that were not left to their defaults. Raises UsageError if
        one of these contradicts the plan.
        """
        own = {name: values[name] for name, each in SETTINGS.items() if each.part is Part.CONNECTION and name in values}
        settings = replace(self.settings, **own)
        for name in given:
            if name in own or values[name] is None:
                continue
            flag = SETTINGS[name].flag
            value = checked(flag, values[name], SETTINGS[name].check)
            if name == "keep":
                value = tuple(str(Path(each).absolute()) for each in value)
            if value not in (getattr(self.asked, name), getattr(self.settings, name)):
                raise UsageError(
                    phrase("{flag} is not as in the plan {path}.", flag=flag, path=harmless(str(self.path))), _LEAVE_OUT
                )
        return settings

    def check_server(self, address: Address, flag: str) -> None:
        """Raise UsageError for another server than the plan's. `flag` gave the address."""
        if (address.origin, address.base_path) != (self.address.origin, self.address.base_path):
            raise UsageError(
                phrase(
                    "{flag} is for {given}, but the plan {path} is for {planned}.",
                    flag=flag,
                    given=address.origin + address.base_path,
                    planned=self.address.origin + self.address.base_path,
                    path=harmless(str(self.path)),
                ),
                _LEAVE_OUT,
            )

    def check(self, ready: Prepared) -> None:
        """Raise GuardStop unless a plan that was made now is the saved one, and no run has used that one."""
        check_unused(self, ready.earlier)
        now = _holds(ready)
        differing = [name for name in _TOLD if self.holds[name] != now[name]]
        if differing:
            raise GuardStop(
                phrase(
                    "This is not what was planned in {path}: {what} changed since. Nothing was sent.",
                    path=harmless(str(self.path)),
                    what=joined(", ", (_TOLD[name] for name in differing)),
                ),
                _AGAIN,
            )

    def sentence(self) -> Phrase:
        """Return who saved the plan, and when."""
        return phrase("This runs {planner}", planner=joined("", planner_told(self.planned)))


_TOLD = {
    "files": phrase("the content of the input"),
    "keep": phrase("a --keep list"),
    "campaigns": phrase("the campaigns or how many numbers each gets"),
    "counts": phrase("the counts of rows"),
    "numbers_sha256": phrase("the numbers to send"),
}
"""The parts of a plan that are compared, in words."""


def _holds(ready: Prepared) -> dict[str, object]:
    """Return what is compared between a saved plan and the plan that is made when it runs."""
    plan, digest = ready.plan, sha256()
    for campaign, block in Planning(ready.store).distinct_numbers():
        digest.update("".join(f"{campaign} {number}\n" for number in block).encode())
    return {
        "files": [[each.source.sheet, each.source.column, each.source.sha256] for each in plan.sources],
        "keep": [[each.sha256, each.numbers] for each in plan.keep.lists],
        "campaigns": {each.campaign: each.numbers for each in plan.campaigns},
        "counts": {
            "rows": plan.rows,
            "numbers": plan.numbers,
            "invalid": plan.invalid,
            "empty": plan.empty,
            "left_out": plan.left_out,
            "kept": plan.kept,
            "duplicates": plan.duplicates,
        },
        "numbers_sha256": digest.hexdigest(),
    }


def save_plan(path: Path, ready: Prepared, asked: Settings, destination: Destination) -> str:
    """Save a plan that is within its limits, private to its owner, and return its id. `asked` are its settings.

    Raises UsageError if the path is taken, StorageError if it cannot be written, UnavailableError if the campaigns were
    not looked at.
    """
    if not ready.findings.asked:
        raise UnavailableError(
            "The plan was not saved: the server could not be asked about its campaigns.", "Try again later."
        )
    plan_id = f"{ready.plan.run_id}-{token_hex(4)}"
    files = dict.fromkeys(each.source.file for each in ready.plan.sources)
    content: dict[str, object] = {
        "kind": _KIND,
        "plan": plan_id,
        "version": __version__,
        "made_at": time.time(),
        "made_by": {"system_user": system_user(), "api_user": destination.user},
        "url": destination.url,
        "left_out": destination.left_out,
        "names": [STANDARD_INPUT if file == PIPED else str(Path(file).absolute()) for file in files],
        "asked": asked.public(),
        "settings": ready.settings.public(),
        **_holds(ready),
    }
    content = json.loads(json.dumps(content))
    with new_file(path, "--save") as aside:
        aside.file.write(f"{json.dumps({**content, 'digest': _digest(content)}, indent=2)}\n".encode())
    return plan_id


def _digest(content: Mapping[str, object]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_plan(path: Path, max_age_s: float, state_dir: Path, now_s: float) -> SavedPlan:
    """Return a saved plan. `now_s` in Unix seconds.

    Raises UsageError if the file is not a saved plan, GuardStop if it was changed, is too old, is of another version
    or was run already.
    """
    content = _read(path)
    digest = content.pop("digest", None)
    shown = harmless(str(path))
    if digest != _digest(content):
        raise GuardStop(phrase("The plan {path} was changed after it was saved.", path=shown), _AGAIN)
    if content.get("version") != __version__:
        raise GuardStop(
            phrase(
                "The plan {path} was saved by version {version}; this is version {own}.",
                path=shown,
                version=harmless(str(content.get("version"))),
                own=__version__,
            ),
            _AGAIN,
        )
    try:
        saved = _saved(path, content)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, UsageError):
        raise _not_a_plan(path) from None
    age_s = now_s - saved.made_at_s
    if age_s > max_age_s:
        raise GuardStop(
            phrase(
                "The plan {path} is {age} old; the limit is {limit}.",
                path=shown,
                age=duration(age_s),
                limit=duration(max_age_s),
            ),
            phrase("The limit is --plan-max-age. {again}", again=ours(_AGAIN)),
        )
    if age_s < -_SKEW_S:
        raise GuardStop(
            phrase("The plan {path} was saved {ahead} in the future.", path=shown, ahead=duration(-age_s)),
            "Check the clocks of both machines.",
        )
    check_unused(saved, EarlierRuns(state_dir))
    return saved


def _read(path: Path) -> dict[str, Any]:
    try:
        with opened(path, links=True) as file:
            content = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise UsageError(
            phrase("--plan {path} cannot be read: {problem}.", path=harmless(str(path)), problem=error.strerror),
            "Name a file that bulk-remove plan --save wrote.",
        ) from None
    except (ValueError, RecursionError):
        raise _not_a_plan(path) from None
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise _not_a_plan(path)
    return content


def _not_a_plan(path: Path) -> UsageError:
    return UsageError(
        phrase("--plan {path} is not a saved plan.", path=harmless(str(path))),
        "Name a file that bulk-remove plan --save wrote.",
    )


def _saved(path: Path, content: Mapping[str, Any]) -> SavedPlan:
    by = {name: str(content["made_by"][name]) for name in ("system_user", "api_user")}
    saved = SavedPlan(
        path,
        str(content["plan"]),
        str(content["url"]),
        by["api_user"],
        by,
        float(content["made_at"]),
        tuple(map(str, content["names"])),
        Settings.read_back(content["asked"]),
        Settings.read_back(content["settings"]),
        {name: content[name] for name in _TOLD},
        tuple(map(str, content["left_out"])),
    )
    timestamp(saved.made_at_s)
    if not _PLAN_ID.fullmatch(saved.plan_id):
        raise ValueError(saved.plan_id)
    _ = saved.address
    return saved


def check_unused(saved: SavedPlan, earlier: EarlierRuns) -> None:
    """Raise GuardStop if one of these runs was approved with this plan."""
    for run in earlier:
        if run.saved_plan == saved.plan_id:
            raise GuardStop(
                phrase(
                    "The plan {path} was run already, by run {run}. A plan runs once.",
                    path=harmless(str(saved.path)),
                    run=run.folder.name,
                ),
                phrase("To finish what it left open: bulk-remove resume {run}", run=run.folder.name),
            )
