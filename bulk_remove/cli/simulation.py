"""The job of `bulk-remove simulate`, the stand-in server."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from bulk_remove.cli.given import SimulateOptions
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase
from bulk_remove.simulator.api import Operation, Rules
from bulk_remove.simulator.faults import Faults
from bulk_remove.simulator.server import Ready, SimulatorOptions, serve
from bulk_remove.simulator.world import Habits


def simulate_job(options: SimulateOptions) -> int:
    """Serve until stopped. Raises UsageError for a wrong port, file or fault."""
    habits = Habits(
        options.seed,
        options.busy_share,
        options.busy_seconds,
        options.duplicate_share,
        options.absent_share,
    )
    try:
        serve(
            SimulatorOptions(
                port=options.port,
                campaigns=options.campaigns,
                numbers_csv=Path(options.numbers) if options.numbers else None,
                additional_column=options.additional_column,
                habits=replace(habits, forms=tuple(map(_form, options.forms))),
                faults=_faults(options),
                rules=Rules(forbidden=frozenset(map(Operation, options.forbid))),
                audit_path=Path(options.audit) if options.audit else None,
            ),
            _announce,
        )
    except OSError as error:
        raise UsageError(
            phrase("The simulator cannot start: {problem}.", problem=error.strerror or error),
            "Check --port, --numbers and --audit.",
        ) from None
    except ValueError as error:
        raise UsageError(
            phrase("The simulator cannot start: {problem}.", problem=error), "Check the shares, forms and faults."
        ) from None
    return 0


def _form(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    return name, float(weight or 1)


def _faults(options: SimulateOptions) -> Faults:
    rates = _rates(options.faults)
    return Faults(**rates, rate_limit_per_s=options.rate_limit, latency_s=options.latency, seed=options.seed)


def _rates(pairs: Sequence[str]) -> dict[str, Any]:
    names = [field.name for field in fields(Faults) if field.type is float and field.default == 0.0]
    rates = {}
    for pair in pairs:
        name, _, rate = pair.partition("=")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise UsageError(
                phrase("--fault {pair} has no rate.", pair=pair), "Write NAME=RATE, for example dropped_after=0.05."
            ) from None
        if name not in names:
            raise UsageError(
                phrase("--fault {name!r} does not exist.", name=name),
                phrase("Choose from: {names}.", names=", ".join(names)),
            )
    return rates


def _announce(ready: Ready) -> None:
    try_it = phrase("bulk-remove check --url {url} --user {user} -c 00001", url=ready.url, user=ready.user)
    click.echo(
        phrase(
            "Serving on {url} as user {user!r}, password {password!r}. Stop with Ctrl-C.",
            url=ready.url,
            user=ready.user,
            password=ready.password,
        )
    )
    click.echo(
        phrase("In another terminal: BULK_REMOVE_PASSWORD={password} {try_it}", password=ready.password, try_it=try_it)
    )
