"""The commands. Heavy imports stay inside them, so that --help answers at once."""

from pathlib import Path
from typing import Any

import click

from bulk_remove import __version__
from bulk_remove.cli.completion import RunId, RunOrReport, completion
from bulk_remove.cli.config_commands import COMMANDS
from bulk_remove.cli.configured import Program
from bulk_remove.cli.options import (
    aftermath_options,
    again_options,
    campaign_option,
    canary_limit_option,
    change_options,
    form_options,
    guard_options,
    inbox_options,
    input_options,
    kept_guard_options,
    kept_keep_options,
    login_options,
    output_options,
    region_option,
    request_options,
    retry_options,
    server_options,
    state_dir_option,
    until_option,
)
from bulk_remove.cli.runs import runs

_FILES = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(readable=False),
    envvar="BULK_REMOVE_FILES",
)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 every number is final, 3 some are not, 4 the input cannot be used, 6 refused, 7 unavailable.",
)
@click.version_option(__version__, message="bulk-remove %(version)s")
def program() -> None:
    r"""Remove phone numbers from a Thulium campaign, with a verdict for every one of them.

    \b
    Example:  bulk-remove plan opt-outs.csv -c 00001
              bulk-remove run opt-outs.csv -c 00001 --system acme --user api -o report.csv
    """


@program.command()
@_FILES
@input_options
@guard_options
@request_options
@server_options
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON, for machines.")
def plan(**options: Any) -> int:
    r"""Show what a run would do; nothing is removed.

    With a server, a user and a password the server is asked how many records the campaign holds, and in which form.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove plan opt-outs.csv -c 00001
    """
    from bulk_remove.cli.jobs import plan_job  # noqa: PLC0415 - see above

    return plan_job(options)


@program.command()
@_FILES
@input_options
@guard_options
@request_options
@retry_options
@server_options
@until_option
@aftermath_options
@output_options
@state_dir_option
def run(**options: Any) -> int:
    r"""Remove the numbers of the files from the campaign, and report on each.

    FILE may be a folder, a pattern such as "exports/*.csv", or - for standard input.

    \b
    Example:  bulk-remove run opt-outs.csv -c 00001 --system acme --user api -o report.csv
    """
    from bulk_remove.cli.jobs import run_job  # noqa: PLC0415 - see above

    return run_job(options)


@program.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@change_options
@canary_limit_option
@login_options
@until_option
@aftermath_options
@output_options
@state_dir_option
def resume(**options: Any) -> int:
    r"""Finish a run that was stopped, by its id; without one, the latest.

    It shows what was done and what is left, and asks. Only the ledger is needed: the input may be gone. The report is
    whole.

    \b
    Example:  bulk-remove resume 20261124-021530-9f3a
    """
    from bulk_remove.cli.jobs import resume_job  # noqa: PLC0415 - see above

    return resume_job(options)


@program.command()
@click.argument("earlier", metavar="RUN|REPORT", type=RunOrReport())
@form_options
@kept_keep_options
@kept_guard_options
@change_options
@login_options
@until_option
@aftermath_options
@output_options
@state_dir_option
def rerun(**options: Any) -> int:
    r"""Ask again for what an earlier run left without a final answer.

    The earlier run is named by its id, or by its report.csv alone, on whatever machine. The new report is whole: the
    old verdicts are kept.

    \b
    Example:  bulk-remove rerun report.csv --system acme --user api -o report-2.csv
    """
    from bulk_remove.cli.jobs import rerun_job  # noqa: PLC0415 - see above

    return rerun_job(options)


@program.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@again_options
@state_dir_option
def report(**options: Any) -> int:
    r"""Write the report of an earlier run again, by its id; without one, of the latest. Nothing is sent.

    \b
    Example:  bulk-remove report 20261124-021530-9f3a -o report.html
    """
    from bulk_remove.cli.reports import report_job  # noqa: PLC0415 - see above

    return report_job(options)


@program.command()
@campaign_option
@region_option
@server_options
def check(**options: Any) -> int:
    r"""Try the address, TLS, the credentials and the campaign; nothing is removed.

    \b
    Example:  bulk-remove check --system acme --user api -c 00001
    """
    from bulk_remove.cli.jobs import check_job  # noqa: PLC0415 - see above

    return check_job(options)


program.add_command(runs)


@program.command()
@click.argument("number")
@click.option("--campaign", "-c", help="In this campaign alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@state_dir_option
def explain(**options: Any) -> int:
    r"""Tell all that the runs of this machine did with one number: rows, requests, verdicts.

    The number may be written in any way; each run reads it by its own rules.

    \b
    Example:  bulk-remove explain "601 234 555"
    """
    from bulk_remove.cli.explaining import explain_job  # noqa: PLC0415 - see above

    return explain_job(options)


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
def inbox(**options: Any) -> int:
    r"""Run each finished file of a drop folder, and move it to done/ or failed/ with its report beside it.

    What an earlier night left unfinished is resumed first. Made for cron and systemd: the exit code is the worst of
    the files'.

    \b
    Example:  bulk-remove inbox /srv/opt-outs -c 00001 --system acme --user api --until 06:00 --yes
    """
    from bulk_remove.cli.nights import inbox_job  # noqa: PLC0415 - see above

    return inbox_job(options)


@program.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--campaign", "-c", "campaigns", multiple=True, default=("00001",), show_default=True)
@click.option("--numbers", help="CSV of the campaign's numbers (first column); else any number exists.")
@click.option("--additional-column", default="", help="Its column of additional numbers, between semicolons.")
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
    help="What the user may not ask for.",
)
@click.option("--audit", help="A JSONL file for what was really done.")
def simulate(**options: Any) -> int:
    r"""Serve a stand-in for Thulium on this machine, to rehearse against.

    \b
    Example:  bulk-remove simulate --busy-share 0.02 --busy-seconds 20
    """
    from bulk_remove.cli.simulation import simulate_job  # noqa: PLC0415 - see above

    return simulate_job(options)


for command in (*COMMANDS, completion):
    program.add_command(command)
