"""The picture of a run in docs/run.svg, from a real one: `python -m tests.docs.picture --write`; POSIX, half a minute.

The real command runs at a pseudo-terminal against the simulator. What it shows is played on a screen of lines, and two
moments of that screen are drawn: half-way, with the progress, and the end.
"""

import contextlib
import io
import re
import shlex
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.support.processes import environment, simulator
from tests.support.terminal import sitting

PLACE = Path(__file__).parents[2] / "docs" / "run.svg"
PORT = "8123"
WORLD = ("--busy-share", "0.01", "--busy-seconds", "8", "--absent-share", "0.01", "--fault", "dropped_after=0.1")
COLUMNS = 100
LATER = "\x1b[2m... and at its end:\x1b[0m"
"""What stands between the two moments: the only words in the picture that nobody typed and the command did not show."""
NUMBERS = 11_960
_ODD_CELLS = ("+48 500 000 007", "brak", "500 000 014", "500-000-007", "nie podano", "5,00000E+08", "5OO OOO OO7")
_TOO_LONG_S = 180.0

# Rich's own frame for a picture, without the web font that it would load.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def typed(url: str) -> list[str]:
    """Return the words of the command in the picture; the picture leaves the rest of its settings out."""
    return ["run", "opt-outs.csv", "-c", "00001", "--url", url, "--user", "demo", "-o", "report.csv"]


def shown_by(url: str, folder: Path, numbers: int, *more: str) -> str:
    """Run the command at a terminal on a made-up file of so many numbers; returns all that it showed, as it came.

    `more` are further words of the command. Its report and all else that it keeps are in the folder.
    """
    cells = [*_ODD_CELLS, *(f"{500_000_000 + 7 * index}" for index in range(numbers))]
    (folder / "opt-outs.csv").write_text("Lp.;Telefon\n" + "".join(f"1;{cell}\n" for cell in cells), "utf-8")
    words = (*typed(url), "--state-dir", str(folder / "state"), *more)
    with contextlib.chdir(folder), sitting(*words, env=environment()) as at:
        at.resize(COLUMNS, 60)
        at.until("n to stop: ")
        (wanted,) = re.findall(r"Type ([\w,]+) to remove them, or n to stop: ", at.shown)
        at.type(f"{wanted}\n")
        at.ended(_TOO_LONG_S)
        return at.shown


def half_way(shown: str) -> str:
    """Return what was shown until the first progress that is past half of the numbers."""
    for facts in re.finditer(r"([\d,]+) of ([\d,]+) numbers[^\r\n]*\r?\n[^\r\n]*", shown):
        settled, numbers = (int(count.replace(",", "")) for count in facts.groups())
        if 2 * settled >= numbers:
            return shown[: facts.end()]
    raise ValueError("the progress was never past half of the numbers")


def screen(shown: str) -> list[str]:
    """Return the lines that stand on a terminal once all that was shown; their styles are still escape codes."""
    lines, row = [""], 0
    for text, code in re.findall(r"((?:\x1b\[[\d;]*m|[^\x1b\r\n])+)|(\r\n|[\r\n]|\x1b\[[?\d;]*.)", shown):
        if text:
            lines[row] += text
        elif code in {"\r\n", "\n"}:
            row += 1
            lines += [""] * (row == len(lines))
        elif code == "\x1b[1A":
            row -= 1
        elif code == "\x1b[2K":
            lines[row] = ""
        elif code not in {"\r", "\x1b[?25l", "\x1b[?25h"}:  # back to a line that is cleared next; the cursor
            raise ValueError(f"a terminal would know what {code!r} does; this one does not")
    return [line for line in lines if line]


def moments(shown: str) -> list[str]:
    """Return the command, the screen half-way, and what is new on it at the end."""
    then, now = screen(half_way(shown)), screen(shown)
    same = next(index for index, (old, new) in enumerate(zip(then, now, strict=False)) if old != new)
    return [
        f"\x1b[1m$ bulk-remove {shlex.join(typed(f'http://127.0.0.1:{PORT}'))}\x1b[0m",
        *then,
        "",
        LATER,
        *now[same:],
    ]


def drawn(lines: list[str]) -> str:
    """Return an SVG of lines as they look on a terminal that is COLUMNS wide."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    for line in lines:
        text = Text.from_ansi(line)
        text.rstrip()
        for row in text.divide(range(COLUMNS, len(text), COLUMNS)):  # a terminal does not look for the end of a word
            console.print(row, no_wrap=True)
    return console.export_svg(title="bulk-remove", code_format=_FRAME, unique_id="run")


def main() -> None:
    """Run the command and write the picture."""
    with tempfile.TemporaryDirectory() as name, simulator(Path(name), "--port", PORT, *WORLD) as server:
        shown = shown_by(server.url, Path(name), NUMBERS, "--busy-delay", "4s")
    PLACE.write_text(drawn(moments(shown)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit("Usage: python -m tests.docs.picture --write")
    main()
