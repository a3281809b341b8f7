"""All commands. What each does is loaded only when it is called, so that --help is fast."""

from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import Any

import click

from bulk_remove import __version__
from bulk_remove.cli.help_pages import help_on
from bulk_remove.cli.options import (
    ABANDON,
    CHECK,
    EXPLAIN,
    INBOX,
    LIST,
    LOGIN,
    LOGOUT,
    PLAN,
    PRUNE,
    REPORT,
    RERUN,
    RESUME,
    RUN,
    SETUP,
    SHOW,
    SIMULATE,
    UI,
    VERIFY,
)
from bulk_remove.cli.profiles import CHOICE, PLACE, Configured, Program, completion, settings_of

_TYPED = "bulk_remove.typed"
_WORDS = "bulk_remove.words"


class Show(Configured):
    """A command with all options that the settings file may contain."""

    many_flags = True

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the settings of all commands, and the options that choose a profile."""
        settings = [copy(param) for param in settings_of(ctx.find_root().command).values()]
        for param in settings:
            param.required = False  # a setting without a value is shown as "-"
        return [*settings, *CHOICE, *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, and note them as they were typed."""
        ctx.meta[_TYPED] = self.make_parser(ctx).parse_args([*args])[0]
        return super().parse_args(ctx, args)


class Reread(Configured):
    """Keeps the words as they were typed: with another profile they are read once more."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the words and read the options."""
        ctx.meta.setdefault(f"{_WORDS} {self.name}", (*args,))
        return super().parse_args(ctx, args)


def _do(job: str, **given: Any) -> int:
    """Do a job, which is named MODULE.FUNCTION; return the exit code."""
    module, _, name = job.partition(".")
    return int(getattr(import_module(f"bulk_remove.cli.{module}"), name)(**given))


def words_of(ctx: click.Context) -> list[str]:
    """Return the words of a command that keeps them, as they were typed first."""
    return [*ctx.meta[f"{_WORDS} {ctx.command.name}"]]


class ForNewcomers(Reread):
    """A command that works without a settings file."""

    makes_profiles = True


@click.group(cls=Program)
def config() -> None:
    r"""Keep settings in a file, as profiles.

    \b
    Example:  bulk-remove config init
    """


@config.command(params=[PLACE])
def init(**given: Any) -> int:
    r"""Write a file with every setting in it, commented out.

    An existing file is never overwritten.

    \b
    Example:  bulk-remove config init
    """
    return _do("config_jobs.init_job", **given)


@config.command(params=[PLACE])
def path(**given: Any) -> int:
    r"""Print where the settings file is expected.

    \b
    Example:  "${EDITOR:-vi}" "$(bulk-remove config path)"
    """
    return _do("config_jobs.path_job", **given)


@config.command("show", cls=Show)
def show_settings(**_given: Any) -> int:
    r"""Show every setting, its value and where the value comes from.

    \b
    Example:  bulk-remove config show --profile acme --rate 2
    """
    return _do("config_jobs.show_job", typed=click.get_current_context().meta[_TYPED])


@click.command(cls=Configured, params=[*LOGIN])
def login(**given: Any) -> int:
    r"""Store the API user's password in the system's keyring.

    The command asks for the password and tries it before it stores it.

    \b
    Example:  bulk-remove login --system acme --user api
    """
    return _do("config_jobs.login_job", **given)


@click.command(cls=Configured, params=[*LOGOUT])
def logout(**given: Any) -> int:
    r"""Delete the API user's password from the keyring.

    \b
    Example:  bulk-remove logout --system acme --user api
    """
    return _do("config_jobs.logout_job", **given)


@click.group(cls=Program)
def runs() -> None:
    r"""List, check and delete earlier runs of this machine.

    \b
    Example:  bulk-remove runs list
    """


@runs.command("list", params=[*LIST])
def list_runs(**given: Any) -> int:
    r"""List all runs, oldest first.

    \b
    Example:  bulk-remove runs list
    """
    return _do("past_commands.list_job", **given)


@runs.command(params=[*SHOW])
def show(**given: Any) -> int:
    r"""Show one run: settings, input, sessions, totals, report.

    Without RUN it shows the latest.

    \b
    Example:  bulk-remove runs show 20261124-021530-9f3a
    """
    return _do("past_commands.show_run_job", **given)


@runs.command(params=[*VERIFY])
def verify(**given: Any) -> int:
    r"""Check that nobody altered a run's ledger or report.

    Without RUN it checks the latest run. Exit code 10 means that something was altered.

    \b
    Example:  bulk-remove runs verify 20261124-021530-9f3a
    """
    return _do("past_commands.verify_job", **given)


@runs.command(params=[*ABANDON])
def abandon(**given: Any) -> int:
    r"""Give up a run: resume and inbox no longer continue it.

    Its ledger and its report stay. `rerun` can still ask for the open numbers, as a new run.

    \b
    Example:  bulk-remove runs abandon 20261124-021530-9f3a
    """
    return _do("past_commands.abandon_job", **given)


@runs.command(params=[*PRUNE])
def prune(**given: Any) -> int:
    r"""Delete old runs for good: ledger, log and report.

    A run that is under way is never deleted. Reports that were written elsewhere stay; the command lists them.

    \b
    Example:  bulk-remove runs prune --older-than 90d --dry-run
    """
    return _do("past_commands.prune_job", **given)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 every number is final, 2 usage, 3 some are not final, 4 the input cannot be used, 5 stopped "
    "by a limit or not confirmed, 6 refused, 7 unavailable, 8 another run is using the campaign, 9 deadline, 10 disk.",
)
@click.version_option(__version__, message="bulk-remove %(version)s")
def program() -> None:
    r"""Remove phone numbers from a Thulium campaign, and report on every row.

    First `bulk-remove setup`. Then `bulk-remove` without words asks step by step; `bulk-remove ui` opens a page.

    The flags of a command: bulk-remove help COMMAND

    \b
    Example:  bulk-remove setup
              bulk-remove plan opt-outs.csv -c 00001
              bulk-remove run opt-outs.csv -c 00001
    """


@program.command(params=[*PLAN])
def plan(**given: Any) -> int:
    r"""Show what a run would do; nothing is removed.

    With a system, a user and a password it asks the server how many records the campaign holds, and in which form.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove plan opt-outs.csv -c 00001
    """
    return _do("jobs.plan_job", **given)


@program.command(params=[*RUN])
def run(**given: Any) -> int:
    r"""Remove the numbers in FILE from a campaign; it asks first.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove run opt-outs.csv -c 00001 --system acme --user api
    """
    if not (given["files"] or given["plan_file"]):
        raise click.MissingParameter(ctx=click.get_current_context(), param=run.params[0])
    return _do("jobs.run_job", **given)


@program.command(params=[*RESUME])
def resume(**given: Any) -> int:
    r"""Finish a run that was stopped: the latest one, or RUN.

    It shows what was done and what is left, and asks. It needs only the ledger: the input may be gone. The report
    covers the whole run.

    \b
    Example:  bulk-remove resume 20261124-021530-9f3a
    """
    return _do("jobs.resume_job", **given)


@program.command(params=[*RERUN])
def rerun(**given: Any) -> int:
    r"""Ask again for the numbers that an earlier run left open.

    Name the earlier run by its id, or by its report.csv, on any machine. The new report covers all rows and keeps the
    old verdicts.

    \b
    Example:  bulk-remove rerun report.csv --system acme --user api -o new.csv
    """
    return _do("jobs.rerun_job", **given)


@program.command(params=[*REPORT])
def report(**given: Any) -> int:
    r"""Write the report of an earlier run again; nothing is sent.

    Without RUN it uses the latest run.

    \b
    Example:  bulk-remove report 20261124-021530-9f3a -o report.html
    """
    return _do("past_commands.report_job", **given)


@program.command(params=[*CHECK])
def check(**given: Any) -> int:
    r"""Check address, login and campaign; nothing is removed.

    \b
    Example:  bulk-remove check --system acme --user api -c 00001
    """
    return _do("jobs.check_job", **given)


@program.command(cls=ForNewcomers, params=[*SETUP])
def setup(**given: Any) -> int:
    r"""Ask for server, user and password, and keep them.

    They become a profile, with campaign and language. It asks again whenever you like: the current values are the
    defaults. At the end it runs `check`.

    \b
    Example:  bulk-remove setup
    """
    return _do("setup.setup_job", **given)


@program.command(cls=ForNewcomers, params=[*CHOICE])
def guide(**given: Any) -> int:
    r"""Ask for file, column and campaign, then do what `run` does.

    `bulk-remove` without words does the same at a terminal. Nothing is removed before you confirm how many.

    \b
    Example:  bulk-remove guide
    """
    return _do("setup.guide_job", **given)


program.add_command(runs)


@program.command(params=[*EXPLAIN])
def explain(**given: Any) -> int:
    r"""Show what the runs of this machine did with one number.

    It lists rows, requests and verdicts. Write the number as you like: each run reads it by its own rules.

    \b
    Example:  bulk-remove explain "601 234 555"
    """
    return _do("past_commands.explain_job", **given)


@program.command(cls=Reread, params=[*UI])
def ui(**given: Any) -> int:
    r"""Open a page on this machine to check, confirm and watch a run in the browser.

    The page ends with this command. A run that is under way then stops safely.

    \b
    Example:  bulk-remove ui --profile acme
    """
    return _do("serving.ui_job", **given)


@program.command(params=[*INBOX])
def inbox(**given: Any) -> int:
    r"""Run each file of a drop folder; made for cron and systemd.

    A finished file moves to done/ or failed/, with its report beside it.

    It first resumes what earlier nights left open. The exit code is the worst of the files'.

    \b
    Example:  bulk-remove inbox /srv/opt-outs -c 00001 --system acme --user api --yes
    """
    return _do("jobs.inbox_job", **given)


@program.command(params=[*SIMULATE])
def simulate(**given: Any) -> int:
    r"""Serve a stand-in for Thulium for rehearsals.

    \b
    Example:  bulk-remove simulate --busy-share 0.02 --busy-seconds 20
    """
    return _do("serving.simulate_job", **given)


@program.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
def help_(words: Sequence[str]) -> None:
    r"""Show the help page of a command.

    \b
    Example:  bulk-remove help run all
    """
    click.echo(help_on(click.get_current_context().find_root(), words))


for command in (config, login, logout, completion):
    program.add_command(command)
