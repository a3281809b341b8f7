"""What a shell completes: the script for it, and the ids of runs. Click itself completes commands, flags and files."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from bulk_remove.adapters.folders import default_state_dir, run_folders
from bulk_remove.cli.configured import Configured, config_file_of
from bulk_remove.cli.profile import load, settings_of
from bulk_remove.errors import UsageError

VARIABLE = "_BULK_REMOVE_COMPLETE"
"""What tells the command to complete instead of running; click makes it of the command's name."""
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


class RunId(click.ParamType[str]):
    """The id of a run of this machine; the shell is offered those that there are, the latest first."""

    name = "run"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Return it as it is: whether there is such a run is told by what looks for it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's own signature
        """Return the ids that begin so."""
        with suppress(OSError):
            names = [folder.name for folder in reversed(run_folders(_state_dir(ctx)))]
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return []


class RunOrReport(RunId):
    """The same, or a file where no id begins so."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids that begin so, else have the shell look for files."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


def _state_dir(ctx: click.Context) -> Path:
    """Return where the command would look for runs: as typed or in the environment, else as the profile says."""
    return next((Path(place) for place in _places(ctx) if place), default_state_dir())


def _places(ctx: click.Context) -> Iterator[Any]:
    yield ctx.params.get("state_dir")
    with suppress(UsageError):  # a file that is wrong is told when a command runs
        settings = settings_of(ctx.find_root().command)
        profile = load(
            config_file_of(ctx.params.get("config")), ctx.params.get("profile") or "", settings, needed=False
        )
        if (entry := profile.entries.get("state_dir")) is not None:
            yield entry.value


@click.command(cls=Configured)
@click.argument("shell", type=click.Choice([*_SHELLS]))
def completion(shell: str) -> None:
    r"""Print what makes a shell complete commands, flags, files and the ids of runs.

    \b
    Example:  echo 'eval "$(bulk-remove completion bash)"' >> ~/.bashrc
              echo 'eval "$(bulk-remove completion zsh)"' >> ~/.zshrc
              bulk-remove completion fish > ~/.config/fish/completions/bulk-remove.fish
    """
    root = click.get_current_context().find_root()
    click.echo(_SHELLS[shell](root.command, {}, "bulk-remove", VARIABLE).source())
