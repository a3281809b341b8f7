"""What a command says about itself: help pages by group, suggestions for unknown commands and flags, and the language.

`--lang` is the language of everything shown, also of help and errors. It may be anywhere on the command line.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.core.model import harmless
from bulk_remove.errors import UsageError
from bulk_remove.language import (
    ENGLISH,
    LANGUAGES,
    Phrase,
    language_in_use,
    language_of,
    load_language,
    phrase,
    say,
    set_for_libraries,
    translated,
    use,
)

LANGUAGE = "lang"
_LANGUAGE_VARIABLE = "BULK_REMOVE_LANG"

GROUPS: Mapping[str, tuple[Phrase, tuple[str, ...]]] = {
    "input": (phrase("Input"), (
        "column", "where", "sheet", "header", "encoding", "delimiter", "split-cells", "trust-column", "keep-columns",
    )),
    "removal": (phrase("What to remove, and where"), (
        "campaign", "system", "user", "password-file", "campaign-column", "url", "password-env", "password-command",
        "number-format", "also-try", "additional-numbers", "internal-numbers", "region",
    )),
    "safety": (phrase("Safety"), (
        "keep", "max-numbers", "canary", "until", "yes", "keep-skips", "max-share", "max-times-usual", "max-invalid",
        "canary-max-not-exist", "stop-when-missing", "hours", "save", "plan", "plan-max-age", "look", "look-csv",
        "look-max", "backup",
    )),
    "output": (phrase("Output"), (
        "output", "report", "csv-for", "overwrite", "quiet", "json", "show-numbers", "log-format", "metrics-file",
        "notify", "notify-on", "reason", "lang",
    )),
    "pace": (phrase("Pace"), (
        "pace", "rate", "concurrency", "slow-reply", "busy-for", "busy-delay", "tries", "give-up-after", "settle",
    )),
    "connection": (phrase("Connection"), (
        "ca-file", "proxy", "connect-timeout", "timeout", "brackets", "trailing-slash", "max-request-line",
        "max-numbers-per-request",
    )),
    "general": (phrase("General"), ("profile", "config", "state-dir", "state", "browser", "help")),
}  # fmt: skip
"""The groups of flags: the word after --help, the heading and the flags."""
BASICS = {
    "column", "where", "campaign", "system", "user", "password-file", "keep", "max-numbers", "canary", "until", "yes",
    "output", "report",
}  # fmt: skip
"""The flags that `--help` shows if a command has many; `--help all` shows all."""
_MANY = 14
"""A command with more flags than this shows only the basic ones."""
_ALL = "all"
_TOPIC = "bulk_remove.help_topic"

_ORDER = (
    "setup", "ui", "guide", "check", "plan", "run", "resume", "rerun", "report", "runs", "explain", "inbox", "simulate",
    "help",
)  # fmt: skip

_MEANT_COMMANDS = {
    "configure": "setup", "continue": "resume", "delete": "run", "dry-run": "plan", "history": "runs list",
    "init": "config init", "list": "runs list", "preview": "plan", "purge": "run", "remove": "run", "retry": "rerun",
    "rm": "run", "start": "run", "status": "runs list", "test": "check", "verify": "runs verify",
    "version": "--version",
}  # fmt: skip
_MEANT_FLAGS = {
    "--batch-size": "--max-numbers-per-request", "--dest": "--output", "--format": "--report", "--host": "--url",
    "--limit": "--max-numbers", "--out": "--output", "--parallel": "--concurrency", "--password": "--password-file",
    "--threads": "--concurrency", "--username": "--user", "--workers": "--concurrency",
}  # fmt: skip
_FILE_FLAGS = ("--file", "--input", "--csv", "--numbers")
_DRY_RUN = ("--dry-run", "--dryrun", "--preview", "--simulate")


class Helpful(click.Command):
    """A command that shows many flags by group, and suggests a known flag for an unknown one."""

    many_flags = False
    _topics: click.Option | None = None

    def __init__(self, name: str | None, *, params: Iterable[click.Parameter] = (), **properties: Any) -> None:
        super().__init__(name, params=[*params, _LANGUAGE_OPTION], **properties)
        flags = {name for param in self.params for name in param.opts}
        self.many_flags = self.many_flags or (len(flags) > _MANY and "--password-file" in flags)
        if self.help:  # in a raw docstring, \b stands for the character with which click keeps lines as they are
            self.help = self.help.replace("\\b\n", "\b\n")

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the options. Raises UsageError for an unknown one."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.NoSuchOption as error:
            if error.ctx is None:
                raise
            raise _no_such_flag(error.ctx, error.option_name) from None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return --help; with many flags it accepts a group's name."""
        if not self.many_flags:
            return super().get_help_option(ctx)
        if self._topics is None:
            self._topics = click.Option(
                [*self.get_help_option_names(ctx), "help"],
                is_flag=False,
                flag_value="",
                is_eager=True,
                expose_value=False,
                callback=_show,
                metavar="[all|GROUP]",
                help=say("Show the basic flags, all flags, or those of a group."),
            )
        return self._topics

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page; with many flags only the basic ones, or those of the requested group."""
        topic = ctx.meta.get(_TOPIC, "")
        if not self.many_flags:
            super().format_help(ctx, formatter)
            return
        self.format_usage(ctx, formatter)
        if topic == _ALL:
            self.format_help_text(ctx, formatter)
        elif not topic:
            about, *_, example = cleandoc(self.help or "").split("\n\n")
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(about)
                formatter.write_text(example)
            formatter.write_paragraph()
        _write_groups(ctx, formatter, topic)


class HelpfulGroup(Helpful, click.Group):
    """A group that lists its commands in order of use, and suggests a known command for an unknown one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of `_ORDER`."""
        return sorted(
            super().list_commands(ctx), key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command's name, the command and the other words. Raises UsageError for an unknown command."""
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise _no_such_command(ctx, args[0])
        return super().resolve_command(ctx, args)


def help_on(ctx: click.Context, words: Sequence[str]) -> str:
    """Return the help page for a command's words, which may end with `all` or a group of flags. Raises UsageError."""
    rest = [*words]
    while rest and isinstance(ctx.command, click.Group):
        name = rest.pop(0)
        if name not in ctx.command.commands:
            raise _no_such_command(ctx, name)
        ctx = click.Context(ctx.command.commands[name], ctx, name)
    return _page(ctx, rest[0] if rest else "")


def _show(ctx: click.Context, _param: click.Parameter, topic: str | None) -> None:
    if topic is not None and not ctx.resilient_parsing:
        click.echo(_page(ctx, topic))
        ctx.exit()


def _page(ctx: click.Context, topic: str) -> str:
    if topic not in {"", _ALL, *GROUPS}:
        raise UsageError(
            phrase("There is no help on {topic!r}.", topic=harmless(topic)), nearest(topic, [_ALL, *GROUPS])
        )
    ctx.meta[_TOPIC] = topic
    return ctx.get_help()


def _write_groups(ctx: click.Context, formatter: click.HelpFormatter, topic: str) -> None:
    shown = {heading: rows for key, (heading, _) in GROUPS.items() if (rows := _rows(ctx, key, topic))}
    width = max(len(name) for rows in shown.values() for name, _ in rows) if not topic else 0
    for heading, rows in shown.items():
        if topic:
            formatter.write_paragraph()
        formatter.write_heading(translated(heading))
        with formatter.indentation():
            formatter.write_dl([(name.ljust(width), about) for name, about in rows])
    formatter.write_paragraph()
    if topic == _ALL:
        typed = ", ".join(_long(param) for param in _flags(ctx) if not param.envvar)
        formatter.write_text(
            say(
                "Flags are also variables and profile keys: --max-numbers is BULK_REMOVE_MAX_NUMBERS and max_numbers. "
                "Only flags: {flags}.",
                flags=typed,
            )
        )
    else:
        formatter.write_text(
            say(
                "More: {command} --help all, or one group: {groups}.",
                command=ctx.command_path,
                groups=", ".join(key for key in GROUPS if _rows(ctx, key, _ALL)),
            )
        )


def _rows(ctx: click.Context, group: str, topic: str) -> list[tuple[str, str]]:
    """Return those flags of a group that the topic shows, in the group's order."""
    places = {name: place for place, name in enumerate(name for _, names in GROUPS.values() for name in names)}
    flags = {_long(param).removeprefix("--"): param for param in _flags(ctx)}
    names = [
        name for name in flags if group_of(name) == group and (topic in {_ALL, group} or (not topic and name in BASICS))
    ]
    records = (flags[name].get_help_record(ctx) for name in sorted(names, key=lambda name: places.get(name, 0)))
    return [record for record in records if record]


def group_of(name: str) -> str:
    """Return the group of a flag."""
    return next((key for key, (_, names) in GROUPS.items() if name in names), "general")


def _flags(ctx: click.Context) -> list[click.Option]:
    return [param for param in ctx.command.get_params(ctx) if isinstance(param, click.Option)]


def _long(param: click.Option) -> str:
    return max(param.opts, key=len)


def _no_such_flag(ctx: click.Context, option: str) -> UsageError:
    known = {flag for param in _flags(ctx) for flag in (*param.opts, *param.secondary_opts) if flag.startswith("--")}
    command = ctx.command_path
    meant = _MEANT_FLAGS.get(option)
    if option in _DRY_RUN and ctx.command.name in {"resume", "rerun"}:
        hint = phrase("Leave it out: {command} shows what is left and asks before it sends anything.", command=command)
    elif option in _DRY_RUN:
        hint = phrase("Use: {command}", command="bulk-remove plan")
    elif option in _FILE_FLAGS and any(isinstance(each, click.Argument) for each in ctx.command.params):
        hint = phrase("Name the file without a flag: {command} FILE", command=command)
    elif meant in known:
        hint = phrase("Use: {command}", command=meant)
    elif isinstance(ctx.command, click.Group):
        hint = phrase("Flags follow the command: bulk-remove run FILE {option}", option=harmless(option))
    else:
        hint = _near(option, known) or phrase("Its flags: {command} --help all", command=command)
    return UsageError(phrase("{command} has no flag {option}.", command=command, option=harmless(option)), hint)


def _no_such_command(ctx: click.Context, name: str) -> UsageError:
    known = ctx.command.commands if isinstance(ctx.command, click.Group) else {}
    hint: str
    if ctx.parent is None and name in _MEANT_COMMANDS:
        hint = phrase("Use: {command}", command=f"bulk-remove {_MEANT_COMMANDS[name]}")
    elif Path(name).suffix or Path(name).exists():
        hint = phrase("To look at a file first: bulk-remove plan FILE -c CAMPAIGN")
    else:
        hint = nearest(name, known)
    return UsageError(phrase("{command} has no command {name!r}.", command=ctx.command_path, name=harmless(name)), hint)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known name most similar to `name`, or with all known names."""
    return _near(name, known) or phrase("Known: {known}.", known=", ".join(sorted(known)))


def _near(name: str, known: Iterable[str]) -> Phrase | None:
    from difflib import get_close_matches  # noqa: PLC0415 - needed only for errors

    bare = {each.lstrip("-"): each for each in known}  # with dashes, any two flags would be similar
    close = get_close_matches(name.lstrip("-"), bare, 1, 0.6)
    return phrase("Did you mean {nearest}?", nearest=bare[close[0]]) if close else None


def speak_as_asked(root: click.Command, words: Sequence[str]) -> None:
    """Set the language from the command line, the variable or, at a terminal, the locale, before any output."""
    asked = re.findall(rf"(?:^|\n)--{LANGUAGE}[=\n]([a-z]+)(?=\n|$)", "\n".join(words))
    code = asked[-1] if asked else os.environ.get(_LANGUAGE_VARIABLE, "")
    if not code and all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr)):
        code = language_of(os.environ)
    if code in LANGUAGES:
        speak(code)
        _translate_help(root)


def _chosen(ctx: click.Context, param: click.Parameter, value: str) -> str:
    source = ctx.get_parameter_source(str(param.name))
    first = ctx.find_root().get_parameter_source(str(param.name))  # it may be typed before the command
    if source is not ParameterSource.DEFAULT and not (
        source is ParameterSource.DEFAULT_MAP and first is ParameterSource.COMMANDLINE
    ):
        speak(value)
    return value


_LANGUAGE_OPTION = click.Option(
    [f"--{LANGUAGE}"],
    type=click.Choice(LANGUAGES),
    default=ENGLISH.code,
    show_default=True,
    envvar=_LANGUAGE_VARIABLE,
    expose_value=False,
    callback=_chosen,
    help="Show everything in this language; default at a terminal: LANG.",
)
"""A profile may set it too, but is read too late for help and usage errors."""


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
