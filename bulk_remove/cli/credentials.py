"""Who we are to the server: the user, and the password from the nearest of its sources."""

import os
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.adapters.secret import read_password
from bulk_remove.adapters.vault import stored_password
from bulk_remove.cli.configured import PASSWORD, profile_of
from bulk_remove.cli.profile import Profile
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase
from bulk_remove.settings import Address, Login

SOURCES = ("password_env", "password_file", "password_command")


def login_from(options: dict[str, Any], address: Address) -> Login:
    """Return the API user with its password for a server. Raises UsageError."""
    return Login(options["user"] or "", password_for(options, address))


def password_for(options: dict[str, Any], address: Address) -> str:
    """Return the user's password for a server, empty where there is none. Raises UsageError.

    A source that was typed comes before BULK_REMOVE_PASSWORD, and that before one of the profile. Without any of them
    the system's keyring is asked.
    """
    user = options["user"] or ""
    environment = {**os.environ, PASSWORD: password_variable()}
    if not environment[PASSWORD]:
        _check_whose(address)
    password = read_password(environment, *(options[source] for source in SOURCES))
    if not password and user:
        password = stored_password(server_of(address), user)
    return password


def password_variable() -> str:
    """Return BULK_REMOVE_PASSWORD, empty where it is not set, or does not count because another source was typed."""
    ctx = click.get_current_context()
    typed = any(ctx.get_parameter_source(source) is ParameterSource.COMMANDLINE for source in SOURCES)
    return "" if typed else str(ctx.meta.get(PASSWORD, ""))


def server_of(address: Address) -> str:
    """Return the name under which the keyring holds the passwords of a server."""
    return f"{address.host}{address.base_path}"


def _check_whose(address: Address) -> None:
    """Keep a profile's password from every server but the profile's own. Raises UsageError."""
    ctx = click.get_current_context()
    profile = profile_of(ctx)
    own = _server_in(profile)
    place = next(
        (
            profile.entries[source].place
            for source in SOURCES
            if source in profile.entries and ctx.get_parameter_source(source) is ParameterSource.DEFAULT_MAP
        ),
        None,
    )
    if place and own and server_of(own) != server_of(address):
        raise UsageError(
            phrase(
                "{place} is the password of {host}, and is not sent to {other}.",
                place=place,
                host=own.host,
                other=address.host,
            ),
            "Choose that server's profile with --profile, or give its password with --password-file.",
        )


def _server_in(profile: Profile) -> Address | None:
    values = {key: profile.entries[key].value for key in ("system", "url") if key in profile.entries}
    if values.get("system"):
        return Address.of_system(values["system"])
    return Address.parse(values["url"]) if values.get("url") else None
