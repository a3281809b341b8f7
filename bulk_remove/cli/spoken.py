"""`--lang`, the language of everything shown, also of help and errors. It may be anywhere on the command line."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc

import click
from click.core import ParameterSource

from bulk_remove.language import (
    ENGLISH,
    LANGUAGES,
    language_in_use,
    language_of,
    load_language,
    set_for_libraries,
    translated,
    use,
)

NAME = "lang"
_VARIABLE = "BULK_REMOVE_LANG"


def language_option() -> click.Option:
    """Return the option. A profile may set it too, but is read too late for help and usage errors."""
    return click.Option(
        [f"--{NAME}"],
        type=click.Choice(LANGUAGES),
        default=ENGLISH.code,
        show_default=True,
        envvar=_VARIABLE,
        expose_value=False,
        callback=_chosen,
        help="Show everything in this language; default at a terminal: LANG.",
    )


def speak_as_asked(root: click.Command, words: Sequence[str]) -> None:
    """Set the language from the command line, the variable or, at a terminal, the locale, before any output."""
    asked = re.findall(rf"(?:^|\n)--{NAME}[=\n]([a-z]+)(?=\n|$)", "\n".join(words))
    code = asked[-1] if asked else os.environ.get(_VARIABLE, "")
    if not code and _at_a_terminal():
        code = language_of(os.environ)
    if code in LANGUAGES:
        speak(code)
        _translate_help(root)


def _at_a_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def _chosen(ctx: click.Context, param: click.Parameter, value: str) -> str:
    source = ctx.get_parameter_source(str(param.name))
    first = ctx.find_root().get_parameter_source(str(param.name))  # it may be typed before the command
    if source is not ParameterSource.DEFAULT and not (
        source is ParameterSource.DEFAULT_MAP and first is ParameterSource.COMMANDLINE
    ):
        speak(value)
    return value


def speak(code: str) -> None:
    """Use a language from now on."""
    if code != language_in_use().code:
        use(load_language(code))
        set_for_libraries(code)


def _translate_help(root: click.Command) -> None:
    """Translate the help of all commands."""
    if language_in_use() is ENGLISH:
        return
    for command in _commands(root):
        command.help = _paragraphs(command.help)
        command.epilog = translated(command.epilog or "")
        command.options_metavar = translated(command.options_metavar or "")
        if isinstance(command, click.Group):
            command.subcommand_metavar = translated(command.subcommand_metavar)
        for param in command.params:
            if isinstance(param, click.Option):
                param.help = translated(param.help or "")


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(each)


def _paragraphs(text: str | None) -> str:
    """Return a help text with each paragraph translated; of an example only the heading, because the rest is typed.

    The heading keeps its width, so that the example stays aligned.
    """
    return "\n\n".join(
        paragraph.replace("Example: ", translated("Example:").ljust(9), 1)
        if paragraph.startswith("\b")
        else translated(" ".join(paragraph.split()))
        for paragraph in cleandoc(text or "").split("\n\n")
    )
