"""Metrics for Prometheus on what a command did, by server and campaign.

The text format is version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bulk_remove.core.model import NEVER_SENT, Status
from bulk_remove.errors import ExitCode
from bulk_remove.language import one_line
from bulk_remove.run.past import PastRun

_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class MetricSample(NamedTuple):
    """A value with its labels."""

    labels: Mapping[str, str]
    value: float


class Gauge(NamedTuple):
    """A metric of type gauge. Its name and the names of its labels consist of letters, digits and underscores."""

    name: str
    meaning: str
    samples: tuple[MetricSample, ...]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return the gauges as text. A gauge without samples is left out."""
    lines: list[str] = []
    for gauge in gauges:
        if gauge.samples:
            lines += [f"# HELP {gauge.name} {gauge.meaning.translate(_HELP_ESCAPES)}", f"# TYPE {gauge.name} gauge"]
            lines += [_line(gauge.name, sample) for sample in gauge.samples]
    return "".join(f"{line}\n" for line in lines)


def _line(name: str, sample: MetricSample) -> str:
    labels = ",".join(
        f'{label}="{one_line(value).translate(_LABEL_ESCAPES)}"' for label, value in sample.labels.items()
    )
    return f"{name}{{{labels}}} {sample.value!r}"


SeriesKey = tuple[str, str]
"""The host and the campaign."""


class _Figures:
    """Sums over the runs of a command."""

    def __init__(self, runs: Iterable[PastRun]) -> None:
        self.keys: dict[SeriesKey, None] = {}
        self.numbers: Counter[tuple[SeriesKey, str]] = Counter()
        self.requests: Counter[SeriesKey] = Counter()
        self.faults: Counter[tuple[SeriesKey, str]] = Counter()
        self.endings: Counter[tuple[SeriesKey, str]] = Counter()
        self.seconds: dict[SeriesKey, float] = {}
        for run in runs:
            for campaign in run.campaigns:
                self._add(run, (run.host, campaign))

    def _add(self, run: PastRun, key: SeriesKey) -> None:
        self.keys[key] = None
        self.endings[key, run.state] += 1
        if run.told is None:
            return
        ended = [(session.began_at_s, session.ended_at_s) for session in run.told.sessions]
        lasted_s = sum(ended_s - began_s for began_s, ended_s in ended if ended_s is not None)
        self.seconds[key] = self.seconds.get(key, 0.0) + lasted_s
        self.numbers.update({(key, status.value): 0 for status in Status if status not in NEVER_SENT})
        tally = run.told.tallies.get(key[1])
        if tally is not None:
            for status, count in tally.statuses.items():
                self.numbers[key, status.value] += count
            self.requests[key] += tally.requests.total()
            self.faults.update({(key, result or "killed"): count for result, count in tally.requests.items()})
            del self.faults[key, "verdicts"]


def gauges_of(
    runs: Sequence[PastRun], without_run: SeriesKey, code: ExitCode, now_s: float, files: Mapping[str, int]
) -> list[Gauge]:
    """Return the metrics of a command that carried out these runs and ended with `code` at `now_s` (Unix seconds).

    `without_run` is the server and the campaign of a command that carried out no run. `files` counts the files of an
    inbox by their place: inbox, done or failed.
    """
    figures = _Figures(runs)
    keys = [*figures.keys] or [without_run]
    return [
        Gauge("bulk_remove_exit_code", "Exit code of the last command.", _all(keys, int(code))),
        Gauge("bulk_remove_ended_timestamp_seconds", "When the last command ended.", _all(keys, round(now_s, 3))),
        Gauge("bulk_remove_numbers", "Distinct numbers by status.", _by("status", figures.numbers)),
        Gauge(
            "bulk_remove_requests",
            "Requests sent, of all sessions.",
            tuple(MetricSample(_labels(key), count) for key, count in figures.requests.items()),
        ),
        Gauge("bulk_remove_faults", "Requests without verdicts by what became of them.", _by("fault", figures.faults)),
        Gauge("bulk_remove_runs", "Runs by how they ended.", _by("ending", figures.endings)),
        Gauge(
            "bulk_remove_sending_seconds",
            "Seconds of sending, of all sessions that were not killed.",
            tuple(MetricSample(_labels(key), round(seconds, 3)) for key, seconds in figures.seconds.items()),
        ),
        Gauge(
            "bulk_remove_files",
            "Files of the inbox by where they lie now.",
            tuple(MetricSample({**_labels(without_run), "place": place}, count) for place, count in files.items()),
        ),
    ]


def _labels(key: SeriesKey) -> dict[str, str]:
    return {"host": key[0], "campaign": key[1]}


def _all(keys: Iterable[SeriesKey], value: float) -> tuple[MetricSample, ...]:
    return tuple(MetricSample(_labels(key), value) for key in keys)


def _by(label: str, counts: Mapping[tuple[SeriesKey, str], int]) -> tuple[MetricSample, ...]:
    return tuple(MetricSample({**_labels(key), label: value}, count) for (key, value), count in counts.items())
