"""All texts of the tool that an operator may read: found in the code, in the help and in the page's template."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import cleandoc
from pathlib import Path

import click

from bulk_remove.cli.commands import program
from bulk_remove.core.summary import Ending

PACKAGE = Path(__file__).parents[2] / "bulk_remove"

_FOR_MACHINES = {"api.py", "run/after.py", "language.py"}
"""Files whose texts are for programs, or are written into files that stay in English."""
_NOT_SAID = {
    "gzip, deflate", "bold green", "bold yellow", "bold red", "no such table", "K | Alike[K]",
    "bulk-remove %(version)s", "bulk-remove check", " (request_id {request_id})", "{problem} (request_id {request_id})",
    "%(asctime)s %(levelname)s %(message)s", "not exist", "not in this form", "passed over", "give up",
    "end the run", "read back from {file}", "the ledger's JSON is not an object",
    "bind ^I rl_complete", "tab: complete",
    "bulk-remove plan", "config init", "runs list", "runs verify",
    "(standard input)", "Permission denied", "The files that plan and run read if none are given.",
    "numer numery nr number numbers num no nummer kontakt contact",
}  # fmt: skip
"""Names and formats that no operator reads."""
_SQL_OR_PATTERN = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|PRAGMA|BEGIN|FROM|coalesce|instr|import sys)\b"
    r"|# |default-src |.*\\\S|\nphone phones|\ntak nie |\ncountrycode |\nprefix |areacode |brak\(|\[0-2"
)
_SAYING = {"phrase", "say", "ours", "translated"}
_NOT_SAYING = ("log.", "_account_log.", "re.", "InvariantError", "cast")
_FIELD = re.compile(r"\{[^{}]*\}")

Said = str | tuple[str, str]
"""A text, or a pair of one for a single thing and one for many."""


@cache
def all_texts() -> Mapping[Said, str]:
    """Return everything that can be said to an operator, each with where it stands."""
    found: dict[Said, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith("simulator/") and place not in _FOR_MACHINES:
            found |= dict.fromkeys(_said_in(ast.parse(path.read_text(encoding="utf-8"))), place)
    return found | dict.fromkeys((*_help_of(program), *_pages(), *Ending), "help, page or ending")


def _said_in(tree: ast.Module) -> Iterator[Said]:
    """Yield what is said: whatever looks like a sentence, and all that is handed to what says things."""
    not_said: set[int] = set()
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            not_said |= _constants(node)
        not_said |= _constants(getattr(node, "annotation", None)) | _constants(getattr(node, "returns", None))
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)):
            if called == "counted":
                one, many = (ast.literal_eval(each) for each in node.args[1:3])
                yield one, many
            if called == "counted" or called.startswith(_NOT_SAYING):
                not_said |= _constants(node)
            if called in _SAYING:
                words |= {text for each in node.args for text in _alternatives(each)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in not_said:
            text = node.value
            sentence = " " in text.strip() and not _SQL_OR_PATTERN.match(text)
            if re.search("[A-Za-z]{2}", _FIELD.sub("", text)) and text not in _NOT_SAID and (sentence or text in words):
                yield text


def _constants(node: ast.AST | None) -> set[int]:
    return {id(each) for each in ast.walk(node) if isinstance(each, ast.Constant)} if node else set()


def _alternatives(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_alternatives(node.body), *_alternatives(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _help_of(command: click.Command) -> Iterator[str]:
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            yield " ".join(paragraph.split())
    yield from filter(None, (command.epilog, command.options_metavar))
    yield from (param.help for param in command.params if isinstance(param, click.Option) and param.help)
    if isinstance(command, click.Group):
        yield command.subcommand_metavar
        for each in command.commands.values():
            yield from _help_of(each)


def _pages() -> Iterator[Said]:
    template = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.j2")))
    for one, other in re.findall(r"""say\((?:'([^']*)'|"([^"]*)")""", template):
        if re.search("[A-Za-z]{2}", _FIELD.sub("", one or other)):
            yield one or other
    yield from re.findall(r"""counted\([^']*, '([^']*)', '([^']*)'""", template)
