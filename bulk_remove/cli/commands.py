"""All commands. Heavy imports are inside the functions, so that --help is fast."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from bulk_remove import __version__
from bulk_remove.cli.help_pages import help_on
from bulk_remove.cli.options import (
    Age,
    address_options,
    aftermath_options,
    again_options,
    backup_options,
    campaign_option,
    connection_options,
    every_setting,
    guard_options,
    inbox_options,
    input_options,
    login_options,
    look_options,
    one_campaign_option,
    output_options,
    region_option,
    request_options,
    rerun_options,
    resume_options,
    retry_options,
    save_option,
    saved_options,
    server_options,
    state_dir_option,
    until_option,
    user_option,
)
from bulk_remove.cli.profiles import CHOICE, PLACE, Configured, Program, RunId, RunOrReport, completion, settings_of

F = TypeVar("F", bound=Callable[..., Any])
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
def init(config: Path | None) -> int:
    r"""Write a file with every setting in it, commented out.

    An existing file is never overwritten.

    \b
    Example:  bulk-remove config init
    """
    from bulk_remove.cli.config_jobs import init_job  # noqa: PLC0415 - see above

    return init_job(config)


@config.command(params=[PLACE])
def path(config: Path | None) -> int:
    r"""Print where the settings file is expected.

    \b
    Example:  "${EDITOR:-vi}" "$(bulk-remove config path)"
    """
    from bulk_remove.cli.config_jobs import path_job  # noqa: PLC0415 - see above

    return path_job(config)


@config.command("show", cls=Show)
def show_settings(**_options: Any) -> int:
    r"""Show every setting, its value and where the value comes from.

    \b
    Example:  bulk-remove config show --profile acme --rate 2
    """
    from bulk_remove.cli.config_jobs import show_job  # noqa: PLC0415 - see above

    return show_job(click.get_current_context().meta[_TYPED])


@click.command(cls=Configured)
@user_option
@connection_options
@click.option("--check/--no-check", default=True, help="Try the password before it is stored.")
def login(**given: Any) -> int:
    r"""Store the API user's password in the system's keyring.

    The command asks for the password and tries it before it stores it.

    \b
    Example:  bulk-remove login --system acme --user api
    """
    from bulk_remove.cli.config_jobs import login_job  # noqa: PLC0415 - see above
    from bulk_remove.cli.given import ServerAccess, take  # noqa: PLC0415 - see above

    return login_job(take(ServerAccess, given))


@click.command(cls=Configured)
@user_option
@address_options
def logout(**given: Any) -> int:
    r"""Delete the API user's password from the keyring.

    \b
    Example:  bulk-remove logout --system acme --user api
    """
    from bulk_remove.cli.config_jobs import logout_job  # noqa: PLC0415 - see above
    from bulk_remove.cli.given import ServerAccess, take  # noqa: PLC0415 - see above

    return logout_job(take(ServerAccess, given))


COMMANDS: Sequence[click.Command] = (config, login, logout)


@click.group(cls=Program)
def runs() -> None:
    r"""List, check and delete earlier runs of this machine.

    \b
    Example:  bulk-remove runs list
    """


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


@runs.command("list")
@_json_option
@state_dir_option
def list_runs(state_dir: Path, *, as_json: bool) -> int:
    r"""List all runs, oldest first.

    \b
    Example:  bulk-remove runs list
    """
    from bulk_remove.cli.past_commands import list_job  # noqa: PLC0415 - see above

    return list_job(state_dir, as_json=as_json)


@runs.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@_json_option
@state_dir_option
def show(run: str | None, state_dir: Path, *, as_json: bool) -> int:
    r"""Show one run: settings, input, sessions, totals, report.

    Without RUN it shows the latest.

    \b
    Example:  bulk-remove runs show 20261124-021530-9f3a
    """
    from bulk_remove.cli.past_commands import show_run_job  # noqa: PLC0415 - see above

    return show_run_job(run or "", state_dir, as_json=as_json)


@runs.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@click.option("--head", metavar="HEX", help="Compare with this ledger_head, not with the summaries'.")
@_json_option
@state_dir_option
def verify(run: str | None, head: str | None, state_dir: Path, *, as_json: bool) -> int:
    r"""Check that nobody altered a run's ledger or report.

    Without RUN it checks the latest run. Exit code 10 means that something was altered.

    \b
    Example:  bulk-remove runs verify 20261124-021530-9f3a
    """
    from bulk_remove.cli.past_commands import verify_job  # noqa: PLC0415 - see above

    return verify_job(run or "", head or "", state_dir, as_json=as_json)


@runs.command()
@click.argument("run", metavar="RUN", type=RunId())
@state_dir_option
def abandon(run: str, state_dir: Path) -> int:
    r"""Give up a run: resume and inbox no longer continue it.

    Its ledger and its report stay. `rerun` can still ask for the open numbers, as a new run.

    \b
    Example:  bulk-remove runs abandon 20261124-021530-9f3a
    """
    from bulk_remove.cli.past_commands import abandon_job  # noqa: PLC0415 - see above

    return abandon_job(run, state_dir)


@runs.command()
@click.option(
    "--older-than",
    type=Age(),
    required=True,
    metavar="AGE",
    help="Delete runs without activity for this long, for example 90d.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before deleting.")
@state_dir_option
def prune(older_than: float, state_dir: Path, *, dry_run: bool, yes: bool) -> int:
    r"""Delete old runs for good: ledger, log and report.

    A run that is under way is never deleted. Reports that were written elsewhere stay; the command lists them.

    \b
    Example:  bulk-remove runs prune --older-than 90d --dry-run
    """
    from bulk_remove.cli.past_commands import prune_job  # noqa: PLC0415 - see above

    return prune_job(state_dir, older_than, dry_run=dry_run, yes=yes)


_OF_ITS_OWN = ("user", "output")
"""Options of a resumed run that a profile does not change: the run has its own values."""


def _files(*, required: bool) -> Callable[[F], F]:
    return click.argument(
        "files",
        nargs=-1,
        required=required,
        metavar="FILE..." if required else "[FILE...]",
        type=click.Path(readable=False),
        envvar="BULK_REMOVE_FILES",
    )


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


@program.command()
@_files(required=True)
@input_options
@guard_options
@request_options
@server_options
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON, for machines.")
@save_option
@look_options
def plan(**given: Any) -> int:
    r"""Show what a run would do; nothing is removed.

    With a system, a user and a password it asks the server how many records the campaign holds, and in which form.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove plan opt-outs.csv -c 00001
    """
    from bulk_remove.cli.given import PlanOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import plan_job  # noqa: PLC0415 - see above

    return plan_job(take(PlanOptions, given))


@program.command()
@_files(required=False)
@input_options
@guard_options
@request_options
@retry_options
@server_options
@until_option
@saved_options
@backup_options
@aftermath_options
@output_options
@state_dir_option
def run(**given: Any) -> int:
    r"""Remove the numbers in FILE from a campaign; it asks first.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove run opt-outs.csv -c 00001 --system acme --user api
    """
    from bulk_remove.cli.given import RunOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import run_job  # noqa: PLC0415 - see above

    if not (given["files"] or given["plan_file"]):
        ctx = click.get_current_context()
        raise click.MissingParameter(ctx=ctx, param=next(each for each in ctx.command.params if each.name == "files"))
    return run_job(take(RunOptions, given))


@program.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@resume_options
@login_options
@until_option
@aftermath_options
@output_options
@state_dir_option
def resume(**given: Any) -> int:
    r"""Finish a run that was stopped: the latest one, or RUN.

    It shows what was done and what is left, and asks. It needs only the ledger: the input may be gone. The report
    covers the whole run.

    \b
    Example:  bulk-remove resume 20261124-021530-9f3a
    """
    from bulk_remove.cli.given import ResumeOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import resume_job  # noqa: PLC0415 - see above

    return resume_job(take(ResumeOptions, given, *_OF_ITS_OWN))


@program.command()
@click.argument("earlier", metavar="RUN|REPORT", type=RunOrReport())
@rerun_options
@login_options
@until_option
@aftermath_options
@output_options
@state_dir_option
def rerun(**given: Any) -> int:
    r"""Ask again for the numbers that an earlier run left open.

    Name the earlier run by its id, or by its report.csv, on any machine. The new report covers all rows and keeps the
    old verdicts.

    \b
    Example:  bulk-remove rerun report.csv --system acme --user api -o new.csv
    """
    from bulk_remove.cli.given import AftermathOptions, RerunOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import rerun_job  # noqa: PLC0415 - see above
    from bulk_remove.reader import is_readable  # noqa: PLC0415 - likewise

    # A report does not name its server, so that comes from the profile; an earlier run knows its own.
    own = (
        ("campaign", "output")
        if is_readable(Path(given["earlier"]))
        else ("campaign", "output", "url", "system", "user")
    )
    return rerun_job(replace(take(RerunOptions, given, *own), aftermath=take(AftermathOptions, given)))


@program.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@again_options
@state_dir_option
def report(**given: Any) -> int:
    r"""Write the report of an earlier run again; nothing is sent.

    Without RUN it uses the latest run.

    \b
    Example:  bulk-remove report 20261124-021530-9f3a -o report.html
    """
    from bulk_remove.cli.given import AgainOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.past_commands import report_job  # noqa: PLC0415 - see above

    return report_job(take(AgainOptions, given))


@program.command()
@campaign_option
@region_option
@server_options
def check(**given: Any) -> int:
    r"""Check address, login and campaign; nothing is removed.

    \b
    Example:  bulk-remove check --system acme --user api -c 00001
    """
    from bulk_remove.cli.given import ServerAccess, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import check_job  # noqa: PLC0415 - see above

    return check_job(take(ServerAccess, given))


@program.command(cls=ForNewcomers)
@one_campaign_option
@login_options
@connection_options
@state_dir_option
def setup(**given: Any) -> int:
    r"""Ask for server, user and password, and keep them.

    They become a profile, with campaign and language. It asks again whenever you like: the current values are the
    defaults. At the end it runs `check`.

    \b
    Example:  bulk-remove setup
    """
    from bulk_remove.cli.given import AccessOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.setup import setup_job  # noqa: PLC0415 - see above

    return setup_job(take(AccessOptions, given))


@program.command(cls=ForNewcomers, params=[*CHOICE])
def guide() -> int:
    r"""Ask for file, column and campaign, then do what `run` does.

    `bulk-remove` without words does the same at a terminal. Nothing is removed before you confirm how many.

    \b
    Example:  bulk-remove guide
    """
    from bulk_remove.cli.guide import guide_job  # noqa: PLC0415 - see above

    return guide_job()


program.add_command(runs)


@program.command()
@click.argument("number")
@click.option("--campaign", "-c", help="Show only this campaign.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@state_dir_option
def explain(number: str, campaign: str | None, state_dir: Path, *, as_json: bool) -> int:
    r"""Show what the runs of this machine did with one number.

    It lists rows, requests and verdicts. Write the number as you like: each run reads it by its own rules.

    \b
    Example:  bulk-remove explain "601 234 555"
    """
    from bulk_remove.cli.past_commands import explain_job  # noqa: PLC0415 - see above

    return explain_job(number, campaign, state_dir, as_json=as_json)


@program.command(cls=Reread)
@every_setting
@login_options
@address_options
@state_dir_option
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser, or only print its address.")
def ui(**given: Any) -> int:
    r"""Open a page on this machine to check, confirm and watch a run in the browser.

    The page ends with this command. A run that is under way then stops safely.

    \b
    Example:  bulk-remove ui --profile acme
    """
    from bulk_remove.cli.given import PageOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.page import ui_job  # noqa: PLC0415 - see above

    return ui_job(take(PageOptions, given))


@program.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@input_options
@guard_options
@request_options
@retry_options
@server_options
@until_option
@aftermath_options
@inbox_options
@state_dir_option
def inbox(**given: Any) -> int:
    r"""Run each file of a drop folder; made for cron and systemd.

    A finished file moves to done/ or failed/, with its report beside it.

    It first resumes what earlier nights left open. The exit code is the worst of the files'.

    \b
    Example:  bulk-remove inbox /srv/opt-outs -c 00001 --system acme --user api --yes
    """
    from bulk_remove.cli.given import InboxOptions, ResumeOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.jobs import inbox_job  # noqa: PLC0415 - see above

    options = take(InboxOptions, given)
    return inbox_job(replace(options, resume=take(ResumeOptions, given, *_OF_ITS_OWN)))


@program.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0: any free one.")
@click.option("--campaign", "-c", "campaigns", multiple=True, default=("00001",), show_default=True)
@click.option("--numbers", help="CSV of the campaign's numbers (first column); else any number exists.")
@click.option("--additional-column", default="", help="Column of additional numbers, separated by semicolons.")
@click.option("--busy-share", type=click.FloatRange(0, 1), default=0.0, help="Share of numbers in a call.")
@click.option("--busy-seconds", type=click.FloatRange(0), default=60.0, show_default=True, help="How long calls last.")
@click.option("--duplicate-share", type=click.FloatRange(0, 1), default=0.0, help="Share with two records.")
@click.option(
    "--form",
    "forms",
    multiple=True,
    metavar="FORM[=SHARE]",
    help="How it holds numbers: national, digits, e164, zeros or spaced.",
)
@click.option("--absent-share", type=click.FloatRange(0, 1), default=0.0, help="Share that does not exist.")
@click.option("--fault", "faults", multiple=True, metavar="NAME=RATE", help="For example dropped_after=0.05.")
@click.option("--rate-limit", type=click.FloatRange(0), default=0.0, help="Requests a second before a 429; 0: none.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Seconds that each reply takes.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--forbid",
    type=click.Choice(("records", "stats", "campaigns")),
    multiple=True,
    help="Refuse these calls to the user.",
)
@click.option("--audit", help="Write what was really done to this JSONL file.")
def simulate(**given: Any) -> int:
    r"""Serve a stand-in for Thulium for rehearsals.

    \b
    Example:  bulk-remove simulate --busy-share 0.02 --busy-seconds 20
    """
    from bulk_remove.cli.given import SimulateOptions, take  # noqa: PLC0415 - see above
    from bulk_remove.cli.simulation import simulate_job  # noqa: PLC0415 - see above

    return simulate_job(take(SimulateOptions, given))


@program.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
def help_(words: Sequence[str]) -> None:
    r"""Show the help page of a command.

    \b
    Example:  bulk-remove help run all
    """
    click.echo(help_on(click.get_current_context().find_root(), words))


for command in (*COMMANDS, completion):
    program.add_command(command)
