"""The content of the page. All totals come from the summary; the times come from the course of the run.

Charts are positions in a plot of 1000 by 100 units, which the page stretches to its width. The labels are the page's
own text, so they keep their size on a phone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from math import floor, log10
from typing import IO, TYPE_CHECKING, Any

from bulk_remove.core.model import FINAL_STATUSES, Rehearsal, Status, harmless
from bulk_remove.core.summary import MEANING, Advice, Ending, NoneFound, headline
from bulk_remove.core.timeline import MOST_ROUNDS, REPLY_EDGES_S, Course, duration
from bulk_remove.language import joined, language_in_use, one_line, ours, phrase, say, say_counted, translated
from bulk_remove.report.csv import facts_of, settings_of

if TYPE_CHECKING:
    import jinja2

WIDTH = 1000.0
HEIGHT = 100.0
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in plot units; `name` chooses its colour."""

    x: float
    y: float
    width: float
    height: float
    name: str = ""


def stacked(counts: Sequence[tuple[str, int]]) -> list[Box]:
    """Return boxes side by side over the whole width, as wide as their counts."""
    total = sum(count for _, count in counts)
    ends = accumulate((count for _, count in counts), initial=0)
    return [
        Box(_fine(WIDTH * start / total), 0.0, _fine(WIDTH * count / total), HEIGHT, name)
        for (name, count), start in zip(counts, ends, strict=False)
        if count
    ]


def bars(values: Sequence[float], top: float) -> list[Box]:
    """Return a bar for each value that is not 0; `top` is the value at the upper edge."""
    width = WIDTH / len(values)
    highs = [HEIGHT * value / top for value in values]
    return [
        Box(_fine(index * width), _fine(HEIGHT - high), _fine(width), _fine(high))
        for index, high in enumerate(highs)
        if high
    ]


def marks(values: Sequence[int]) -> list[float]:
    """Return the middle of each part whose value is not 0."""
    width = WIDTH / len(values)
    return [_fine((index + 0.5) * width) for index, value in enumerate(values) if value]


def steps(values: Sequence[float], top: float) -> str:
    """Return an SVG path of level steps, one part for each value; `top` is the value at the upper edge."""
    width = WIDTH / len(values)
    path: list[str] = []
    for index, value in enumerate(values):
        path.append(f"{'V' if path else 'M0,'}{_fine(HEIGHT - HEIGHT * value / top):g}H{_fine((index + 1) * width):g}")
    return "".join(path)


def growth(values: Sequence[float], top: float) -> str:
    """Return an SVG path through the values, from the first at the left edge to the last at the right."""
    width = WIDTH / max(1, len(values) - 1)
    highs = (HEIGHT - HEIGHT * value / top for value in values)
    return "M" + "L".join(f"{_fine(index * width):g},{_fine(high):g}" for index, high in enumerate(highs))


def round_top(value: float) -> float:
    """Return a round figure a little above the value (0 or more), so that no bar touches the upper edge."""
    power = 10.0 ** floor(log10(value)) if value else 1.0
    return next(step * power for step in _ROUND if step * power >= 1.05 * value)


def _fine(value: float) -> float:
    return round(value, 2)


_MOST_REASONS = 50
_SHARES = {0.5: "half within {time}", 0.95: "95 % within {time}", 0.99: "99 % within {time}", 1.0: "the longest {time}"}


def write_page(
    file: IO[str],
    summary: Mapping[str, Any],
    course: Course,
    reply_times_s: Mapping[float, float],
    advice: Sequence[Advice],
) -> None:
    """Write the page of a run to a text file. `summary` is the content of report.summary.json, times are in seconds."""
    by_status = {Status(name): count for name, count in summary["rows_by_status"].items()}
    nothing = NoneFound(**summary["none_found"]) if summary["none_found"] else None
    context = {
        "summary": summary,
        "language": language_in_use().code,
        "headline": headline(by_status, Ending(summary["ending"]), nothing, Rehearsal(summary["rehearsal"] or "")),
        "advice": advice,
        "facts": [*facts_of(summary)],
        "settings": [*settings_of(summary)],
        "verdicts": _verdicts(by_status),
        "progress": _progress(summary, course),
        "pace": _pace(course),
        "parts": _parts(course),
        "part_s": course.timeline.part_s,
        "axis_s": course.timeline.part_s * course.timeline.parts,
        "sessions": course.timeline.sessions,
        "limited_hours": any(span.hours for span in course.timeline.sessions),
        "replies": _replies(course, reply_times_s),
        "calls": _calls(course),
        "faults": sorted(course.faults.items(), key=lambda item: (-item[1].count, item[0])),
        "invalid": _invalid(summary, course),
    }
    file.writelines(_template().generate(context))


@cache
def _template() -> "jinja2.Template":
    here = files(__package__)
    environment = speaking()
    environment.globals["style"] = here.joinpath("style.css").read_text(encoding="utf-8")
    return environment.from_string(here.joinpath("page.html.j2").read_text(encoding="utf-8"))


def speaking(loader: "jinja2.BaseLoader | None" = None) -> "jinja2.Environment":
    """Return what makes pages in the language in use, and shows of texts only what can be seen."""
    import jinja2  # noqa: PLC0415 - only who writes a page should pay for it

    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {"count": _figure, "figure": _figure, "duration": duration, "moment": _moment}
    environment.filters |= {"told": translated, "ours": lambda text: translated(ours(text))}
    environment.filters["harmless"] = harmless
    environment.filters["clock"] = lambda iso: iso[:19].replace("T", " ")
    environment.globals |= {"say": say, "counted": say_counted}
    return environment


def _shown(value: Any) -> Any:
    """Return a value for the page; all text that is not the page's own loses its invisible characters."""
    return one_line(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _verdicts(by_status: Mapping[Status, int]) -> dict[str, Any]:
    total = sum(by_status.values())
    present = [(status, by_status[status]) for status in Status if by_status[status]]
    return {
        "boxes": stacked([(status.value, count) for status, count in present]),
        "rows": [
            (status.value, count, _share(count, total), ours(MEANING[status]), status in FINAL_STATUSES)
            for status, count in present
        ],
        "total": total,
        "kept": by_status.get(Status.KEPT, 0),
    }


def _progress(summary: Mapping[str, Any], course: Course) -> dict[str, Any]:
    known = [*accumulate(course.final, initial=course.final_before)]
    path = growth(known, max(1, summary["numbers"]))
    timeline = course.timeline
    return {
        "path": path,
        "before": course.final_before,
        "untimed": course.final_untimed,
        "at_end": known[-1],
        "breaks": [_fine(WIDTH * start_s / (timeline.parts * timeline.part_s)) for start_s in timeline.starts_s[1:]],
    }


def _pace(course: Course) -> dict[str, Any]:
    rates = [count / course.timeline.part_s for count in course.requests]
    ceilings = course.timeline.ceilings()
    told = {span.rate for span in course.timeline.sessions}
    top = round_top(max(*rates, *ceilings))
    return {
        "bars": bars(rates, top),
        "ceiling": steps(ceilings, top),
        "ceilings": joined(", ", (phrase("{rate:g}", rate=rate) for rate in sorted(told))),
        "marks": marks(course.slow_down),
        "slow_downs": sum(course.slow_down),
        "highest": max(rates),
        "top": top,
    }


def _parts(course: Course) -> list[dict[str, Any]]:
    timeline = course.timeline
    columns = zip(
        course.requests,
        timeline.ceilings(),
        course.slow_down,
        course.faulted,
        course.final,
        accumulate(course.final, initial=course.final_before),
        strict=False,
    )
    return [
        {
            "after": duration(part * timeline.part_s),
            "moment": _moment(timeline.moment_s(part)),
            "requests": requests,
            "rate": requests / timeline.part_s,
            "ceiling": ceiling,
            "slow_downs": slow_downs,
            "faulted": faulted,
            "final": final,
            "known": before + final,
        }
        for part, (requests, ceiling, slow_downs, faulted, final, before) in enumerate(columns)
    ]


def _replies(course: Course, reply_times_s: Mapping[float, float]) -> dict[str, Any]:
    edges = [_figure(edge, "g") + " s" for edge in REPLY_EDGES_S]
    labels = [
        say("under {edge}", edge=edges[0]),
        *(say("{low} to {high}", low=low, high=high) for low, high in pairwise(edges)),
        say("{edge} or more", edge=edges[-1]),
    ]
    return {
        "count": sum(course.replies),
        "bars": bars(course.replies, max(1, *course.replies)),
        "edges": edges,
        "rows": [*zip(labels, course.replies, strict=True)],
        "shares": joined(
            ", ", (phrase(_SHARES[share], time=_short(reply_times_s[share])) for share in sorted(reply_times_s))
        ),
    }


def _calls(course: Course) -> dict[str, Any]:
    rounds = [course.rounds[index] for index in range(1, MOST_ROUNDS + 1)]
    labels = [*map(str, range(1, MOST_ROUNDS)), say("{rounds} or more", rounds=MOST_ROUNDS)]
    return {
        "count": course.waited.total(),
        "by_status": joined(
            ", ",
            (
                phrase("{count:,} {status}", count=course.waited[status], status=status.value)
                for status in Status
                if course.waited[status]
            ),
        ),
        "rows": [*zip(labels, rounds, strict=True)],
    }


def _invalid(summary: Mapping[str, Any], course: Course) -> dict[str, Any]:
    reasons = sorted(summary["invalid_cells_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    shown, rest = reasons[:_MOST_REASONS], reasons[_MOST_REASONS:]
    empty, left_out = summary["empty_cells"], summary["left_out_rows"]
    return {
        "count": summary["rows_by_status"][Status.INVALID] - empty - left_out,
        "empty": empty,
        "left_out": left_out,
        "where": harmless(" ".join(f"--where {each}" for each in summary["settings"]["where"])),
        "reasons": [(reason, count, course.examples.get(reason, ())) for reason, count in shown],
        "other": sum(count for _, count in rest),
    }


def _figure(value: float, form: str = ",") -> str:
    return say(f"{{value:{form}}}", value=value)


def _share(count: int, total: int) -> str:
    """Return a percentage; only none is 0, and only all is 100."""
    tenths = 1000 * count // total if total else 0
    return translated("under 0.1 %") if count and not tenths else say("{share:.1f} %", share=tenths / 10)


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else say("{seconds:.1f} s", seconds=seconds)


def _moment(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
