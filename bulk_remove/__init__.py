"""Remove phone numbers from a Thulium campaign in bulk, with a verdict for every one of them.

The public API is what is named in `__all__`; it is loaded when first used, so that `import bulk_remove` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bulk_remove.api import Server, remove_files, remove_numbers
    from bulk_remove.core.model import Brackets, NumberFormat, Outcome, Status
    from bulk_remove.core.plan import Plan
    from bulk_remove.errors import BulkRemoveError, ExitCode
    from bulk_remove.run.finish import Finished
    from bulk_remove.settings import Address, Login, Settings

_HOME = {
    "Address": "settings",
    "Brackets": "core.model",
    "BulkRemoveError": "errors",
    "ExitCode": "errors",
    "Finished": "run.finish",
    "Login": "settings",
    "NumberFormat": "core.model",
    "Outcome": "core.model",
    "Plan": "core.plan",
    "Server": "api",
    "Settings": "settings",
    "Status": "core.model",
    "remove_files": "api",
    "remove_numbers": "api",
}

__all__ = [
    "Address",
    "Brackets",
    "BulkRemoveError",
    "ExitCode",
    "Finished",
    "Login",
    "NumberFormat",
    "Outcome",
    "Plan",
    "Server",
    "Settings",
    "Status",
    "__version__",
    "remove_files",
    "remove_numbers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
