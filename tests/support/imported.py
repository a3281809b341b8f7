"""What a process that starts warm has imported: the whole product, and what it imports only where it needs it."""

import pkgutil
from importlib import import_module

import bulk_remove

_ONLY_WHERE_NEEDED = (
    "aiohttp",
    "filelock",
    "jinja2",
    "numpy",
    "olefile",
    "orjson",
    "pandas",
    "phonenumbers.data.region_PL",
    "platformdirs",
    "rich.live",
    "rich.progress",
    "rich.status",
    "tenacity",
    "xlsxwriter",
)

for name in _ONLY_WHERE_NEEDED:
    import_module(name)
for module in pkgutil.walk_packages(bulk_remove.__path__, "bulk_remove."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
