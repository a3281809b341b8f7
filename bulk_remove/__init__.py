"""Remove phone numbers from a Thulium campaign in bulk, with a verdict for every one of them.

The public API is what is named in `__all__`; it is loaded when first used, so that `import bulk_remove` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.4.1"

if TYPE_CHECKING:
    from bulk_remove.api import Server as Server
    from bulk_remove.api import plan_files as plan_files
    from bulk_remove.api import remove_files as remove_files
    from bulk_remove.api import remove_numbers as remove_numbers
    from bulk_remove.api import rerun as rerun
    from bulk_remove.api import resume as resume
    from bulk_remove.api import run_plan as run_plan
    from bulk_remove.core.model import Brackets as Brackets
    from bulk_remove.core.model import NumberFormat as NumberFormat
    from bulk_remove.core.model import Outcome as Outcome
    from bulk_remove.core.model import ReportFormat as ReportFormat
    from bulk_remove.core.model import Status as Status
    from bulk_remove.core.numbers import AlsoTry as AlsoTry
    from bulk_remove.core.plan import CampaignPlan as CampaignPlan
    from bulk_remove.core.plan import Plan as Plan
    from bulk_remove.core.plan import SourcePlan as SourcePlan
    from bulk_remove.core.summary import Ending as Ending
    from bulk_remove.core.summary import Proof as Proof
    from bulk_remove.core.throttle import Level as Level
    from bulk_remove.core.timeline import Snapshot as Snapshot
    from bulk_remove.errors import BulkRemoveError as BulkRemoveError
    from bulk_remove.errors import CampaignLockedError as CampaignLockedError
    from bulk_remove.errors import ExitCode as ExitCode
    from bulk_remove.errors import GuardStop as GuardStop
    from bulk_remove.errors import InputError as InputError
    from bulk_remove.errors import RefusedError as RefusedError
    from bulk_remove.errors import RunLockedError as RunLockedError
    from bulk_remove.errors import StorageError as StorageError
    from bulk_remove.errors import UnavailableError as UnavailableError
    from bulk_remove.errors import UsageError as UsageError
    from bulk_remove.run.finish import Finished as Finished
    from bulk_remove.settings import Settings as Settings

_NAMES = {
    "api": ("Server", "plan_files", "remove_files", "remove_numbers", "rerun", "resume", "run_plan"),
    "core.model": ("Brackets", "NumberFormat", "Outcome", "ReportFormat", "Status"),
    "core.numbers": ("AlsoTry",),
    "core.plan": ("CampaignPlan", "Plan", "SourcePlan"),
    "core.summary": ("Ending", "Proof"),
    "core.throttle": ("Level",),
    "core.timeline": ("Snapshot",),
    "errors": (
        "BulkRemoveError", "CampaignLockedError", "ExitCode", "GuardStop", "InputError", "RefusedError",
        "RunLockedError", "StorageError", "UnavailableError", "UsageError",
    ),
    "run.finish": ("Finished",),
    "settings": ("Settings",),
}  # fmt: skip
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - all are text


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
