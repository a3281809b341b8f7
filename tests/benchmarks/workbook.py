"""What reading a workbook costs, against calamine alone: `python -m tests.benchmarks.workbook --rows 1000000`.

Both read the same file, each in a process of its own, by turns. The table shows the processor's time, the time on the
wall and the memory of the largest process, and how many times calamine's they are. `open_table` starts another process,
whose time is counted, too.
"""

import argparse
import statistics
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.benchmarks.measuring import kept_file, measure, need_account, spread

CALAMINE = """
import sys
from python_calamine import CalamineWorkbook
workbook = CalamineWorkbook.from_path(sys.argv[1])
print(sum(1 for _ in workbook.get_sheet_by_name(workbook.sheet_names[0]).iter_rows()) - 1)
"""
CALAMINE_LISTS = CALAMINE.replace("sum(1 for _ in ", "len(").replace(".iter_rows())", ".to_python())")
OURS = """
import sys
from bulk_remove.reader import ReadOptions, open_table
print(sum(len(block.cells) for block in open_table(sys.argv[1], ReadOptions()).blocks()))
"""
CONTENDERS = {"calamine iter_rows": CALAMINE, "calamine to_python": CALAMINE_LISTS, "open_table": OURS}
FIRST = ("Anna", "Jan", "Łucja", "Piotr", "Ewa", "Marek")
LAST = ("Przykładowa", "Testowy", "Zmyślony", "Próbna")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{TYPES}.styles+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPES}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{OFFICE}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rId3" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><fonts><font/></fonts><fills><fill/></fills>'
    "<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs><cellXfs>"
    '<xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
}


def main() -> None:
    """Make the file if it is not there, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5, help="how often each is measured")
    given = parser.parse_args()
    need_account()
    path = workbook_file(given.rows)
    runs: dict[str, list[Sequence[float]]] = {name: [] for name in CONTENDERS}
    for turn in range(given.times):
        for name, code in CONTENDERS.items():
            runs[name].append(reading(code, path, given.rows))
        sys.stderr.write(f"turn {turn + 1} of {given.times} done\n")
    print_table(path, runs)


def reading(code: str, path: Path, rows: int) -> Sequence[float]:
    """Return the CPU seconds, wall seconds and peak MB of a process that reads the file and counts its rows."""
    used = measure([sys.executable, "-c", code, path])
    if int(used.said) != rows:
        sys.exit(f"{int(used.said)} rows were read, not {rows}.")
    return used.cpu_s, used.wall_s, used.peak_mb


def print_table(path: Path, runs: dict[str, list[Sequence[float]]]) -> None:
    """Print median, least and most of each figure, and the ratios to the faster of calamine's two ways."""
    baseline = min(list(CONTENDERS)[:2], key=lambda name: statistics.median(run[0] for run in runs[name]))
    sys.stdout.write(f"{path.name}, {path.stat().st_size / 1e6:.1f} MB; median (least to most)\n")
    sys.stdout.write(f"{'':20}{'CPU s':>22}{'wall s':>22}{'peak MB':>24}\n")
    for name, figures in runs.items():
        sys.stdout.write(
            f"{name:20}" + "".join(f"{spread(column):>22}" for column in zip(*figures, strict=True)) + "\n"
        )
    ratios = [
        [a / b for a, b in zip(*pair, strict=True)] for pair in zip(runs["open_table"], runs[baseline], strict=True)
    ]
    sys.stdout.write(
        f"{'open_table / that':20}" + "".join(f"{spread(column):>22}" for column in zip(*ratios, strict=True)) + "\n"
    )
    sys.stdout.write(f"compared with {baseline}, run by run\n")


def workbook_file(rows: int) -> Path:
    """Return a workbook of so many rows, each with a number of its own, made once."""
    return kept_file(f"{rows}.xlsx", lambda path: make_workbook(path, rows))


def make_workbook(path: Path, rows: int) -> None:
    """Write a workbook as Excel does: shared strings, names, numbers as text or number, dates with a style, notes."""
    sys.stderr.write(f"Making {path} ...\n")
    start = time.perf_counter()
    strings: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in PARTS.items():
            archive.writestr(name, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<?xml version="1.0"?>\n<worksheet xmlns="{MAIN}"><dimension ref="A1:D{rows + 1}"/>'.encode())
            part.write(b"<sheetData>")
            for row in made_rows(rows, strings):
                part.write(row.encode())
            part.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w") as part:
            part.write(f'<sst xmlns="{MAIN}" count="{3 * rows}" uniqueCount="{len(strings)}">'.encode())
            for text in strings:
                part.write(f"<si><t>{text}</t></si>".encode())
            part.write(b"</sst>")
    sys.stderr.write(f"made in {time.perf_counter() - start:.0f} s\n")


def made_rows(rows: int, strings: dict[str, int]) -> Iterator[str]:
    """Yield the rows' XML, the header's first; `strings` is filled on the way."""
    random = Random(1)

    def text(reference: str, value: str) -> str:
        return f'<c r="{reference}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'

    names = zip("ABCD", ("name", "phone", "date", "note"), strict=True)
    yield '<row r="1" spans="1:4">' + "".join(text(f"{column}1", name) for column, name in names) + "</row>"
    for row in range(2, rows + 2):
        number = 601_000_000 + row
        phone = f'<c r="B{row}"><v>{number}</v></c>' if row % 2 else text(f"B{row}", f"+48 {number}")
        name = f"{random.choice(FIRST)} {random.choice(LAST)} {random.randrange(200_000)}"
        yield (
            f'<row r="{row}" spans="1:4">{text(f"A{row}", name)}{phone}'
            f'<c r="C{row}" s="1"><v>{45_000 + row % 700}</v></c>{text(f"D{row}", f"notatka {row % 1000}")}</row>'
        )


if __name__ == "__main__":
    main()
