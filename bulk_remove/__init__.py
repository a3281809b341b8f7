"""Remove phone numbers from a Thulium campaign in bulk, with a verdict for every one of them.

The public API is what is named in `__all__`; it is loaded when first used, so that `import bulk_remove` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.4.0"

if TYPE_CHECKING:
    from bulk_remove.api import Server, plan_files, remove_files, remove_numbers, rerun, resume, run_plan
    from bulk_remove.core.model import Brackets, NumberFormat, Outcome, ReportFormat, Status
    from bulk_remove.core.numbers import AlsoTry
    from bulk_remove.core.plan import CampaignPlan, Plan, SourcePlan
    from bulk_remove.core.summary import Ending, Proof
    from bulk_remove.core.throttle import Level
    from bulk_remove.core.timeline import Snapshot
    from bulk_remove.errors import (
        BulkRemoveError,
        CampaignLockedError,
        ExitCode,
        GuardStop,
        InputError,
        RefusedError,
        RunLockedError,
        StorageError,
        UnavailableError,
        UsageError,
    )
    from bulk_remove.run.finish import Finished
    from bulk_remove.settings import Settings

_HOME = {
    "AlsoTry": "core.numbers",
    "Brackets": "core.model",
    "BulkRemoveError": "errors",
    "CampaignLockedError": "errors",
    "CampaignPlan": "core.plan",
    "Ending": "core.summary",
    "ExitCode": "errors",
    "Finished": "run.finish",
    "GuardStop": "errors",
    "InputError": "errors",
    "Level": "core.throttle",
    "NumberFormat": "core.model",
    "Outcome": "core.model",
    "Plan": "core.plan",
    "Proof": "core.summary",
    "RefusedError": "errors",
    "ReportFormat": "core.model",
    "RunLockedError": "errors",
    "Server": "api",
    "Settings": "settings",
    "Snapshot": "core.timeline",
    "SourcePlan": "core.plan",
    "Status": "core.model",
    "StorageError": "errors",
    "UnavailableError": "errors",
    "UsageError": "errors",
    "plan_files": "api",
    "remove_files": "api",
    "remove_numbers": "api",
    "rerun": "api",
    "resume": "api",
    "run_plan": "api",
}

__all__ = [
    "AlsoTry",
    "Brackets",
    "BulkRemoveError",
    "CampaignLockedError",
    "CampaignPlan",
    "Ending",
    "ExitCode",
    "Finished",
    "GuardStop",
    "InputError",
    "Level",
    "NumberFormat",
    "Outcome",
    "Plan",
    "Proof",
    "RefusedError",
    "ReportFormat",
    "RunLockedError",
    "Server",
    "Settings",
    "Snapshot",
    "SourcePlan",
    "Status",
    "StorageError",
    "UnavailableError",
    "UsageError",
    "__version__",
    "plan_files",
    "remove_files",
    "remove_numbers",
    "rerun",
    "resume",
    "run_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
