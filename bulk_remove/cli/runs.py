"""`bulk-remove runs`: its commands. Heavy imports stay inside them, so that --help answers at once."""

from typing import Any

import click

from bulk_remove.cli.completion import RunId
from bulk_remove.cli.configured import Program
from bulk_remove.cli.options import Age, state_dir_option


@click.group(cls=Program)
def runs() -> None:
    r"""Look at the runs of this machine, and delete old ones for good.

    \b
    Example:  bulk-remove runs list
    """


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


@runs.command("list")
@_json_option
@state_dir_option
def list_runs(**options: Any) -> int:
    r"""List all runs, oldest first: when, where to, what became of the numbers, what is open.

    \b
    Example:  bulk-remove runs list
    """
    from bulk_remove.cli.runs_jobs import list_job  # noqa: PLC0415 - see above

    return list_job(options)


@runs.command()
@click.argument("run", metavar="RUN", type=RunId())
@_json_option
@state_dir_option
def show(**options: Any) -> int:
    r"""Show one run: its settings without secrets, its input, its sessions, its totals, where its report is.

    \b
    Example:  bulk-remove runs show 20261124-021530-9f3a
    """
    from bulk_remove.cli.runs_jobs import show_job  # noqa: PLC0415 - see above

    return show_job(options)


@runs.command()
@click.argument("run", required=False, metavar="[RUN]", type=RunId())
@click.option("--head", metavar="HEX", help="A head noted earlier, instead of those in the summaries.")
@_json_option
@state_dir_option
def verify(**options: Any) -> int:
    r"""Check that the ledger of a run and its reports are as they were written; without an id, of the latest.

    The reports are held against the ledger, and that against the `ledger_head` of the summary beside them. Exit code 10
    when one of them was altered.

    \b
    Example:  bulk-remove runs verify 20261124-021530-9f3a
    """
    from bulk_remove.cli.proof_job import verify_job  # noqa: PLC0415 - see above

    return verify_job(options)


@runs.command()
@click.argument("run", metavar="RUN", type=RunId())
@state_dir_option
def abandon(**options: Any) -> int:
    r"""Leave what a run left open for good: neither resume nor an inbox takes it up again.

    Its ledger and its report stay. `rerun` can still ask for what is open, as a new run.

    \b
    Example:  bulk-remove runs abandon 20261124-021530-9f3a
    """
    from bulk_remove.cli.runs_jobs import abandon_job  # noqa: PLC0415 - see above

    return abandon_job(options)


@runs.command()
@click.option(
    "--older-than", type=Age(), required=True, metavar="AGE", help="For example 90d: nothing happened for so long."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before deleting.")
@state_dir_option
def prune(**options: Any) -> int:
    r"""Delete the folders of old runs for good: ledger, log and the report in it.

    A run that is under way is never touched. Reports that were written elsewhere stay, and are told. What a run left
    that was killed while it planned goes as well, after an hour.

    \b
    Example:  bulk-remove runs prune --older-than 90d --dry-run
    """
    from bulk_remove.cli.runs_jobs import prune_job  # noqa: PLC0415 - see above

    return prune_job(options)
