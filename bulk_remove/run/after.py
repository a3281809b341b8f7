"""Metrics for Prometheus on what a command did, by server and campaign.

The text format is version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bulk_remove.core.model import NEVER_SENT, Status
from bulk_remove.errors import ExitCode
from bulk_remove.language import one_line
from bulk_remove.run.past import PastRun

_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
SeriesKey = tuple[str, str]
"""The host and the campaign."""
Labels = tuple[tuple[str, str], ...]
"""The labels of a value: pairs of a name and what it is."""


class Gauge(NamedTuple):
    """A metric of type gauge. Its name and the names of its labels consist of letters, digits and underscores."""

    name: str
    meaning: str
    samples: Mapping[Labels, float]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return the gauges as text. A gauge without samples is left out."""
    lines: list[str] = []
    for gauge in gauges:
        if gauge.samples:
            lines += [f"# HELP {gauge.name} {gauge.meaning.translate(_HELP_ESCAPES)}", f"# TYPE {gauge.name} gauge"]
        for labels, value in gauge.samples.items():
            told = ",".join(f'{label}="{one_line(text).translate(_LABEL_ESCAPES)}"' for label, text in labels)
            lines.append(f"{gauge.name}{{{told}}} {value!r}")
    return "".join(f"{line}\n" for line in lines)


def gauges_of(
    runs: Sequence[PastRun], without_run: SeriesKey, code: ExitCode, now_s: float, files: Mapping[str, int]
) -> list[Gauge]:
    """Return the metrics of a command that carried out these runs and ended with `code` at `now_s` (Unix seconds).

    `without_run` is the server and the campaign of a command that carried out no run. `files` counts the files of an
    inbox by their place: inbox, done or failed.
    """
    endings, numbers, requests, faults = (Counter[Labels]() for _ in range(4))
    seconds: defaultdict[Labels, float] = defaultdict(float)
    for run, campaign in [(each, campaign) for each in runs for campaign in each.campaigns]:
        key = _labels((run.host, campaign))
        endings[*key, ("ending", run.state)] += 1
        if run.told is None:
            continue
        ended = [(session.began_at_s, session.ended_at_s) for session in run.told.sessions]
        seconds[key] += sum(ended_s - began_s for began_s, ended_s in ended if ended_s is not None)
        numbers.update({(*key, ("status", status.value)): 0 for status in Status if status not in NEVER_SENT})
        if tally := run.told.tallies.get(campaign):
            numbers.update({(*key, ("status", status.value)): count for status, count in tally.statuses.items()})
            requests[key] += tally.requests.total()
            faults.update({(*key, ("fault", result or "killed")): count for result, count in tally.requests.items()})
            del faults[*key, ("fault", "verdicts")]
    mine = _labels(without_run)
    keys = dict.fromkeys(labels[:2] for labels in endings) or {mine: None}
    return [
        Gauge("bulk_remove_exit_code", "Exit code of the last command.", dict.fromkeys(keys, int(code))),
        Gauge(
            "bulk_remove_ended_timestamp_seconds", "When the last command ended.", dict.fromkeys(keys, round(now_s, 3))
        ),
        Gauge("bulk_remove_numbers", "Distinct numbers by status.", numbers),
        Gauge("bulk_remove_requests", "Requests sent, of all sessions.", requests),
        Gauge("bulk_remove_faults", "Requests without verdicts by what became of them.", faults),
        Gauge("bulk_remove_runs", "Runs by how they ended.", endings),
        Gauge(
            "bulk_remove_sending_seconds",
            "Seconds of sending, of all sessions that were not killed.",
            {labels: round(spent_s, 3) for labels, spent_s in seconds.items()},
        ),
        Gauge(
            "bulk_remove_files",
            "Files of the inbox by where they lie now.",
            {(*mine, ("place", place)): count for place, count in files.items()},
        ),
    ]


def _labels(key: SeriesKey) -> Labels:
    return ("host", key[0]), ("campaign", key[1])
