import re
import time
from importlib.resources import files
from typing import Any

import pytest

from bulk_remove.core.model import OPEN_STATUSES, Status
from bulk_remove.core.timeline import MOST_PARTS, Attempt, Course, SessionSpan, Timeline
from tests.support.html_tree import Element, parse_html
from tests.support.made_up_page import HOSTILE, ROWS_BY_STATUS, RUN, empty_page, page, rows, summary

STYLE = files("bulk_remove.report").joinpath("style.css").read_text(encoding="utf-8")


def figure(text: str) -> int:
    return int(text.strip().replace(",", ""))


def table_of(root: Element, section: str) -> Element:
    (found,) = (part for part in root.all("section") if part["aria-labelledby"] == section)
    return found.all("table")[0]


def test_the_numbers_of_the_page_are_those_of_the_summary() -> None:
    root, told = parse_html(page()), summary()
    cells = {cell["data-status"]: figure(cell.text) for cell in root.all("td") if cell["data-status"]}
    assert cells == {name: count for name, count in told["rows_by_status"].items() if count}
    assert [figure(cell.text) for cell in root.all("td") if cell["id"] == "sum"] == [told["rows"]]
    assert sum(figure(cell.text) for cell in root.all("td") if "part-requests" in cell["class"]) == told["requests"]
    faults = {cell["data-fault"]: figure(cell.text) for cell in root.all("td") if cell["data-fault"]}
    assert faults == told["faults"]
    (lead,) = (part for part in root.all("p") if "records removed by" in part.text)
    assert f"{told['removed_records']:,} records removed by {told['requests']:,} requests in 16 min 40 s" in " ".join(
        lead.text.split()
    )
    invalid = table_of(root, "invalid").all("tbody")[0]
    assert [figure(cell.text) for cell in invalid.all("td") if cell["class"] == "n"] == [7]


def test_a_count_of_records_that_may_be_more_is_a_lower_bound_on_the_page() -> None:
    assert "At least 1,249 records removed by" in page(removed_records_at_least=True)
    assert "At least" not in page()


def test_the_drawn_bar_shares_its_width_as_the_statuses_share_the_rows() -> None:
    (bar,) = (svg for svg in parse_html(page()).all("svg") if svg["class"] == "stack")
    widths = {box["class"]: float(box["width"]) for box in bar.all("rect")}
    total = sum(ROWS_BY_STATUS.values())
    assert widths == {
        status.value: pytest.approx(1000 * count / total, abs=0.01) for status, count in ROWS_BY_STATUS.items()
    }


def test_the_page_says_what_was_asked_by_whom_when_and_what_the_result_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    told = " ".join(table_of(parse_html(page()), "facts").text.split())
    monkeypatch.delenv("TZ")
    time.tzset()
    left = sum(ROWS_BY_STATUS[status] for status in OPEN_STATUSES)
    for fact in (
        "phone numbers from campaigns 00001, 00002",
        "on acme.thulium.com",
        "API user: anna",
        "RODO-11812, <b>art. 17</b>",
        "approved by: typed at the terminal",
        "2026-09-21 15:33:20 CEST (2026-09-21 13:33:20 UTC)",
        "1,300 records before, 51 after",
        f"{left} rows have no final answer",
        "That a number stays away",
        "cd" * 32,
        "ef" * 32,
        f"bulk-remove runs verify {RUN}",
    ):
        assert fact in told


@pytest.mark.parametrize("change", [{"rehearsal": "stand-in"}, {"proves_nothing": "None was found."}])
def test_a_result_that_proves_nothing_says_so_and_why(change: dict[str, Any]) -> None:
    told = table_of(parse_html(page(**change)), "facts").text
    assert "Nothing about records in Thulium" in told
    assert "the server gave this answer" not in told
    assert (change.get("proves_nothing") or "Rehearsal on a stand-in.") in told


def test_every_slow_down_is_marked_where_it_was() -> None:
    root = parse_html(page())
    marks = [path for path in root.all("path") if path["class"] == "mark" and "V16" in path["d"]]
    marked = [
        line.all("td")[4].text.strip() for line in table_of(root, "pace").all("tbody")[0].all("tr")
    ]  # clock, requests, a second, ceiling, slow-downs
    assert len(marks) == sum(count != "0" for count in marked) == 6
    assert "times the server asked to slow down: 6" in root.text


def test_no_phone_number_is_on_the_page_unmasked() -> None:
    text = page()
    assert not [row.cell for row in rows() if row.cell in text]
    assert not re.search(r"(?<![0-9a-f.])[0-9]{9}(?![0-9a-f])", text)
    assert "601234555" not in text


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    text = page()
    assert HOSTILE not in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    root = parse_html(text)
    assert any(HOSTILE in cell.text for cell in root.all("td"))  # a request_id
    assert any(HOSTILE in cell.text for cell in root.all("th"))  # a file's name, a reason


def test_the_page_needs_nothing_else_and_forbids_everything_but_its_own_style() -> None:
    text = page()
    root = parse_html(text)
    (policy,) = (meta["content"] for meta in root.all("meta") if meta["http-equiv"] == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"\b(?:src|href|action|style)=|url\(|@import|https?:", text)
    assert {element.name for element in root.all("link") + root.all("script") + root.all("img")} == set()


def test_the_page_has_landmarks_headings_in_order_and_names_for_what_is_drawn() -> None:
    root = parse_html(page())
    assert root.all("html")[0]["lang"] == "en"
    assert [len(root.all(name)) for name in ("header", "main", "footer", "h1", "title")] == [1, 1, 1, 1, len(
        [svg for svg in root.all("svg") if svg["role"] == "img"]
    ) + 1]  # fmt: skip
    assert not root.all("h3")
    ids = [element["id"] for element in root.all("h2")]
    assert [section["aria-labelledby"] for section in root.all("section")] == ids
    for svg in root.all("svg"):
        if svg["aria-hidden"] != "true":
            assert svg["role"] == "img"
            assert svg["aria-label"]
            assert svg.all("desc")[0].text.strip()
    for table in root.all("table"):
        assert all(head["scope"] in {"col", "row"} for head in table.all("th"))
        assert table.all("thead")[0].all("th")
    for region in root.all("div"):
        if region["class"] == "scroll":
            assert region["tabindex"] == "0"
            assert region["aria-label"]


@pytest.mark.parametrize("status", sorted(OPEN_STATUSES))
def test_what_to_do_next_names_the_command_with_the_run(status: Status) -> None:
    changed = dict.fromkeys(map(str, Status), 0) | {status.value: 3, "REMOVED": 5}
    root = parse_html(page(rows_by_status=changed, rows=8, ending="done", numbers_in_replies_unasked=0))
    (steps,) = root.all("ol")
    assert [code.text.split()[-1] for code in steps.all("code")] == [RUN]


def test_a_run_in_which_nothing_happened_has_a_page_too() -> None:
    text = " ".join(parse_html(empty_page()).text.split())
    for sentence in ("No request got verdicts.", "No number was in a call.", "Every request got its verdicts."):
        assert sentence in text
    assert "Every cell held a phone number." in text


def test_the_page_of_the_longest_run_stays_small() -> None:
    made = Course(Timeline.of([SessionSpan(1.79e9, 1.79e9 + 30 * 86_400, 1000.0, "done")] * 3))
    made.add_attempts(
        Attempt(1.79e9 + 40 * index, 1.79e9 + 40 * index + 1, "HTTP 429" if index % 3 else "verdicts", "r" * 300)
        for index in range(100_000)
    )
    reasons = {f"Reason {'x' * 80} {index}": 1 for index in range(5000)}
    changes = {"invalid_cells_by_reason": reasons, "input": summary()["input"] * 5000, "campaigns": ["00001"] * 1000}
    text = page(made, **changes)
    assert len(text.encode()) < 200_000
    assert len([cell for cell in parse_html(text).all("td") if "part-requests" in cell["class"]]) <= MOST_PARTS


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    "scheme", [pytest.param(index, id=name) for index, name in enumerate(["light", "dark", "paper"])]
)
def test_text_and_what_is_drawn_stand_out_in_every_scheme(scheme: int) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[scheme]))
    for behind in ("page", "card"):
        for text in ("text", "quiet", "link"):
            assert contrast(colours[text], colours[behind]) >= 4.5, text
    for drawn in ("bar", "ceiling", "mark", "line", *Status):
        assert contrast(colours[drawn], colours["page"]) >= 3, drawn
