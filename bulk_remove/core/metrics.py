"""Metrics as Prometheus reads them: the text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bulk_remove.language import one_line

_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Sample(NamedTuple):
    """A value with its labels."""

    labels: Mapping[str, str]
    value: float


class Gauge(NamedTuple):
    """A figure that is set anew each time. `name` and the labels' names are of letters, digits and underscores."""

    name: str
    meaning: str
    samples: tuple[Sample, ...]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return the gauges as text; one without a sample is left out."""
    lines: list[str] = []
    for gauge in gauges:
        if gauge.samples:
            lines += [f"# HELP {gauge.name} {gauge.meaning.translate(_HELP_ESCAPES)}", f"# TYPE {gauge.name} gauge"]
            lines += [_line(gauge.name, sample) for sample in gauge.samples]
    return "".join(f"{line}\n" for line in lines)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(
        f'{label}="{one_line(value).translate(_LABEL_ESCAPES)}"' for label, value in sample.labels.items()
    )
    return f"{name}{{{labels}}} {sample.value!r}"
