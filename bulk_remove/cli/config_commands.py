"""The commands about settings and passwords: `config`, `login`, `logout`. Heavy imports stay inside them."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import click

from bulk_remove.cli.configured import CHOICE, PLACE, Configured, Program
from bulk_remove.cli.options import address_options, connection_options, user_option
from bulk_remove.cli.profile import settings_of

_TYPED = "bulk_remove.typed"


class Show(Configured):
    """Takes every option that can be set in the file, whichever command it belongs to."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the settings of all commands, and the options that choose a profile."""
        settings = [copy(param) for param in settings_of(ctx.find_root().command).values()]
        for param in settings:
            param.required = False  # what is not given is shown as such
        return [*settings, *CHOICE, *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, and note them as they were typed."""
        ctx.meta[_TYPED] = self.make_parser(ctx).parse_args([*args])[0]
        return super().parse_args(ctx, args)


@click.group(cls=Program)
def config() -> None:
    r"""Keep the settings of each system in a file, as profiles.

    \b
    Example:  bulk-remove config init
    """


@config.command(params=[PLACE])
def init(config: Path | None) -> int:
    r"""Write a file with every setting in it, commented out; an existing one is never overwritten.

    \b
    Example:  bulk-remove config init
    """
    from bulk_remove.cli.config_jobs import init_job  # noqa: PLC0415 - see above

    return init_job(config)


@config.command(params=[PLACE])
def path(config: Path | None) -> int:
    r"""Print where the file is looked for.

    \b
    Example:  "${EDITOR:-vi}" "$(bulk-remove config path)"
    """
    from bulk_remove.cli.config_jobs import path_job  # noqa: PLC0415 - see above

    return path_job(config)


@config.command(cls=Show)
def show(**_options: Any) -> int:
    r"""Show every setting and where its value comes from: flag, variable, file and key, or default.

    \b
    Example:  bulk-remove config show --profile acme --rate 2
    """
    from bulk_remove.cli.config_jobs import show_job  # noqa: PLC0415 - see above

    return show_job(click.get_current_context().meta[_TYPED])


@click.command(cls=Configured)
@user_option
@connection_options
@click.option("--check/--no-check", default=True, help="Whether to try the password first.")
def login(**options: Any) -> int:
    r"""Ask for the API user's password, try it, and store it in the system's keyring.

    \b
    Example:  bulk-remove login --system acme --user api
    """
    from bulk_remove.cli.config_jobs import login_job  # noqa: PLC0415 - see above

    return login_job(options)


@click.command(cls=Configured)
@user_option
@address_options
def logout(**options: Any) -> int:
    r"""Delete the API user's password from the system's keyring.

    \b
    Example:  bulk-remove logout --system acme --user api
    """
    from bulk_remove.cli.config_jobs import logout_job  # noqa: PLC0415 - see above

    return logout_job(options)


COMMANDS: Sequence[click.Command] = (config, login, logout)
