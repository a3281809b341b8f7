"""The house rules, held by reading the code."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bulk_remove"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Where each outside library may be imported: one place each.
HOMES = {
    "aiohttp": {"sending/client.py", "simulator", "page/server.py"},
    "aioresponses": set(),
    "apprise": {"cli/aftermath.py"},
    "backports": {"reader/source.py", "ledger/shared.py"},
    "charset_normalizer": {"reader/text.py"},
    "click": {"cli"},
    "compression": {"reader/source.py", "ledger/shared.py"},  # backports' place in the standard library from 3.14 on
    "filelock": {"run/folders.py"},
    "jinja2": {"report/html.py", "page/server.py"},
    "keyring": {"cli/given.py"},
    "numpy": {"ledger/distinct.py", "reader/"},  # the reader names the arrays that pandas hands over
    "olefile": {"reader/workbook_child.py"},
    "orjson": {
        "core/verdicts.py",
        "ledger/",
        "report/csv.py",
        "sending/client.py",
        "reader/",
        "simulator",
    },
    "pandas": {"reader/"},
    "phonenumbers": {"core/spelling.py"},
    "platformdirs": {"run/folders.py"},
    "psycopg": {"ledger/shared.py"},
    "rich": {"console/"},
    "sqlite3": {"sending/gate.py", "ledger/"},
    "tenacity": {"sending/"},
    "xlsxwriter": {"report/xlsx.py"},
    "yarl": {"sending/client.py"},
}
PURE = {
    "bisect", "collections", "collections.abc", "dataclasses", "datetime", "difflib", "email.utils", "enum",
    "fractions", "functools", "itertools", "json", "math", "numbers", "operator", "re", "typing", "unicodedata",
    "orjson", "phonenumbers", "phonenumbers.geodata.locale",
}  # fmt: skip
POSIX_ONLY = {"fcntl", "pwd", "grp", "termios", "tty", "resource", "syslog", "posix", "pty"}
KEEPS = {"ledger": {"settings"}}  # whoever reads an old ledger gets its settings as what they were
MIDDLE = ["reader", "ledger", "sending", "report", "console"]
LAYERS = ["language", "errors", "disk", "core", "settings", *MIDDLE, "run", "page", "api", "cli"]


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


def only_for_types(path: Path) -> frozenset[str]:
    """Return what only the type checker imports: it ties no room to another."""
    blocks = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    typed = [line for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING" for line in node.body]
    lines = [line for line in typed if isinstance(line, ast.ImportFrom)]
    return frozenset(f"{line.module}{name}" for line in lines for name in ("", *(f".{a.name}" for a in line.names)))


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


@pytest.mark.parametrize("path", modules_under(*(f"{room}/" for room in MIDDLE)), ids=name_of)
def test_no_room_that_touches_the_world_imports_another_or_what_is_above(path: Path) -> None:
    own = name_of(path).split("/")[0]
    for name in imports(path) - only_for_types(path):
        if name.startswith("bulk_remove."):
            assert layer_of(name) in {own, "core", "disk", "errors", "language", "__version__"} | KEEPS.get(own, set())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_layer_knows_only_those_below(path: Path) -> None:
    layer = name_of(path).split("/")[0].removesuffix(".py")
    if layer not in LAYERS:
        return
    below = {*LAYERS[: LAYERS.index(layer) + 1], "__version__"} | ({"simulator"} if layer == "cli" else set())
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
    at_a_terminal = {"console/keys.py"}
    may = {"termios"} if name_of(path) in at_a_terminal else set()  # where it gives up on Windows
    assert not {name.split(".")[0] for name in imports(path)} & POSIX_ONLY - may


def imported_modules(path: Path) -> set[str]:
    """Return which modules of the product are imported when this one is; not those that only the types need."""
    names = {module_of(each) for each in MODULES}
    found = set[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module in names:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & names
            found |= inner or {node.module}
    return found - {"bulk_remove"}  # the version, which needs nothing


def module_of(path: Path) -> str:
    dotted = "bulk_remove." + name_of(path).removesuffix(".py").replace("/", ".")
    return dotted.removesuffix(".__init__")


def test_no_imports_go_in_a_circle() -> None:
    graph = {module_of(path): imported_modules(path) for path in MODULES}
    order = TopologicalSorter(graph)
    order.prepare()  # raises CycleError, which names the circle


def test_no_two_types_have_one_name() -> None:
    where = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(name_of(path))
    assert not {name: places for name, places in where.items() if len(places) > 1}


def test_options_and_settings_are_handed_on_as_typed_values() -> None:
    for path in modules_under("cli/", "run/", "api.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg) and node.annotation is not None:
                kind = ast.unparse(node.annotation)
                assert not kind.startswith("dict[str, Any]"), f"{name_of(path)}:{node.lineno}"
                assert node.arg != "options" or not kind.startswith(("Mapping", "dict")), (
                    f"{name_of(path)}:{node.lineno}"
                )


def test_most_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25
    assert lengths[-1] <= 60


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
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and re.search(r"(?<!^formatter)\.(read|write)_text$", called):  # click's own
                assert any(keyword.arg == "encoding" for keyword in node.keywords), f"{name_of(path)}:{node.lineno}"


def test_text_files_have_the_same_line_ends_on_every_system() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in {"open", "TextIOWrapper", "os.fdopen"}:
                continue
            modes = [
                arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            writes_text = ast.unparse(node.func) == "TextIOWrapper" or (modes and not {*modes[0]} & {"r", "b"})
            if writes_text:
                assert any(keyword.arg == "newline" for keyword in node.keywords), f"{name_of(path)}:{node.lineno}"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_help_loads_no_heavy_library() -> None:
    commands = ["", "run", "plan", "check", "report", "simulate", "inbox", "runs", "runs prune", "config show"]
    commands += ["completion", "login", "ui"]
    heavy = ["pandas", "numpy", "aiohttp", "olefile", "phonenumbers", "sqlite3", "rich", "tenacity"]
    heavy += ["keyring", "tomllib", "jinja2", "xlsxwriter", "psycopg"]
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
