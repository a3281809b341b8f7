"""The house rules, held by reading the code."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bulk_remove"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Where each outside library may be imported: one place each.
HOMES = {
    "aiohttp": {"adapters/client.py", "simulator"},
    "aioresponses": set(),
    "apprise": {"adapters/notifier.py"},
    "backports": {"adapters/reader/packed.py"},
    "charset_normalizer": {"adapters/reader/letters.py"},
    "click": {"cli"},
    "compression": {"adapters/reader/packed.py"},  # backports' place in the standard library from 3.14 on
    "filelock": {"adapters/folders.py"},
    "jinja2": {"adapters/report_html/page.py"},
    "keyring": {"adapters/vault.py"},
    "numpy": {"adapters/distinct.py", "adapters/reader"},  # the reader names the arrays that pandas hands over
    "olefile": {"adapters/reader/contents.py"},
    "orjson": {
        "core/reply_text.py",
        "adapters/ledger",
        "adapters/reporter.py",
        "adapters/client.py",
        "adapters/reader",
        "simulator",
    },
    "pandas": {"adapters/reader"},
    "phonenumbers": {"core/regions.py"},
    "platformdirs": {"adapters/folders.py"},
    "rich": {"adapters/console"},
    "sqlite3": {"adapters/account.py", "adapters/ledger"},
    "tenacity": {"adapters/pool"},
    "xlsxwriter": {"adapters/report_xlsx.py"},
    "yarl": {"adapters/client.py"},
}
PURE = {
    "bisect", "collections", "collections.abc", "dataclasses", "datetime", "difflib", "email.utils", "enum",
    "fractions", "functools", "itertools", "json", "math", "numbers", "operator", "re", "typing", "unicodedata",
    "orjson", "phonenumbers", "phonenumbers.geodata.locale",
}  # fmt: skip
POSIX_ONLY = {"fcntl", "pwd", "grp", "termios", "tty", "resource", "syslog", "posix", "pty"}
LAYERS = ["language", "errors", "disk", "core", "adapters", "run", "api", "cli"]


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def modules_under(*places: str) -> list[Path]:
    return [path for path in MODULES if name_of(path).startswith(places)]


def layer_of(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", modules_under("core/"), ids=name_of)
def test_core_imports_nothing_that_touches_the_world(path: Path) -> None:
    outside = {name for name in imports(path) if not name.startswith("bulk_remove")}
    allowed = {name for name in outside if name in PURE or name.rpartition(".")[0] in PURE}
    assert outside == allowed
    assert {layer_of(name) for name in imports(path) if name.startswith("bulk_remove.")} <= {
        "core",
        "errors",
        "language",
    }


@pytest.mark.parametrize("path", modules_under("adapters/"), ids=name_of)
def test_no_adapter_imports_another_or_what_is_above(path: Path) -> None:
    own = "bulk_remove.adapters." + name_of(path).split("/")[1].removesuffix(".py")
    for name in imports(path):
        if name.startswith("bulk_remove.adapters."):
            assert name.startswith(own)
        elif name.startswith("bulk_remove."):
            assert layer_of(name) in {"core", "disk", "errors", "language", "__version__"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_layer_knows_only_those_below(path: Path) -> None:
    layer = name_of(path).split("/")[0].removesuffix(".py")
    if layer not in LAYERS:
        return
    below = {*LAYERS[: LAYERS.index(layer) + 1], "settings", "__version__"} | (
        {"simulator"} if layer == "cli" else set()
    )
    assert {layer_of(name) for name in imports(path) if name.startswith("bulk_remove.")} <= below


def test_the_simulator_is_an_independent_witness() -> None:
    for path in modules_under("simulator/"):
        assert all(name.startswith("bulk_remove.simulator") for name in imports(path) if name.startswith("bulk_remove"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_outside_library_is_imported_in_its_own_place(path: Path) -> None:
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or name_of(path).startswith(tuple(homes) or "nowhere"), f"{name} in {name_of(path)}"


def test_every_outside_library_has_a_place() -> None:
    used = {name.split(".")[0] for path in MODULES for name in imports(path)}
    assert used - set(sys.stdlib_module_names) - {"bulk_remove"} <= set(HOMES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_posix_only(path: Path) -> None:
    at_a_terminal = {"adapters/console/keyboard.py", "adapters/console/typed.py"}
    may = {"termios"} if name_of(path) in at_a_terminal else set()  # where it gives up on Windows
    assert not {name.split(".")[0] for name in imports(path)} & POSIX_ONLY - may


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_stay_small_enough_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 70, f"{node.name} is too long"


def test_most_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] <= 12
    assert lengths[len(lengths) * 9 // 10] <= 30


@pytest.mark.parametrize("path", [*MODULES, *Path(__file__).parent.rglob("*.py")], ids=lambda path: path.name)
def test_nothing_is_named_vaguely_or_left_to_do(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "base", "misc"}
    markers = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    assert not re.search(rf"\b({markers})\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_value_type_is_frozen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            assert all("frozen=True" in text for text in decorators if text.startswith("dataclass")), node.name


def test_every_source_file_is_read_and_written_with_a_named_encoding() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".read_text", ".write_text")):
                assert any(keyword.arg == "encoding" for keyword in node.keywords), f"{name_of(path)}:{node.lineno}"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_help_loads_no_heavy_library() -> None:
    commands = ["", "run", "plan", "check", "report", "simulate", "inbox", "runs", "runs prune", "config show"]
    commands += ["completion", "login"]
    heavy = ["pandas", "numpy", "aiohttp", "olefile", "phonenumbers", "sqlite3", "rich", "tenacity"]
    heavy += ["keyring", "tomllib", "jinja2", "xlsxwriter"]
    done = run_python(
        "import sys; from bulk_remove.cli import main\n"
        f"for words in {commands!r}:\n"
        "    sys.argv = ['bulk-remove', *words.split(), '--help']\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code\n"
        f"    loaded = [name for name in {heavy!r} if name in sys.modules]; assert not loaded, (words, loaded)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: bulk-remove") == len(commands)


def test_importing_the_package_loads_no_heavy_library_and_its_names_work() -> None:
    done = run_python(
        "import sys, bulk_remove; assert 'aiohttp' not in sys.modules and 'pandas' not in sys.modules\n"
        "for name in bulk_remove.__all__: getattr(bulk_remove, name)\n"
        "try:\n    bulk_remove.nonsense\nexcept AttributeError: pass\nelse: raise SystemExit(1)"
    )
    assert done.returncode == 0, done.stderr


def test_the_package_imports_and_plans_where_posix_modules_are_missing(tmp_path: Path) -> None:
    """What an operator at Windows has: no fcntl, no termios, no resource, no SIGTERM handlers on the loop."""
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("telefon\n601 234 555\n601234556\n", encoding="utf-8")
    blocked = sorted(POSIX_ONLY - {"posix"})
    done = run_python(
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        "from bulk_remove.cli import main\n"
        f"sys.argv = ['bulk-remove', 'plan', {str(numbers)!r}, '-c', '00001', '--state-dir', {str(tmp_path)!r}]\n"
        "main()"
    )
    assert done.returncode == 0, done.stderr
    assert "numbers to remove from 00001" in done.stdout
