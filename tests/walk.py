"""How far one number walks through the code: functions, files and moves of a clean `run` of a file with one number.

`make walk` prints the figures. A function counts once however often it is called; a move is a pair of functions, caller
and called, that stand in two files. Only the package's own functions count: no bodies of classes and modules, and no
lambdas and comprehensions, which are read with the function that they stand in.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType

from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.processes import simulator

_PACKAGE = str(Path(__file__).parent.parent / "bulk_remove") + os.sep
Place = tuple[str, str]
"""The file and the qualified name of a function."""


class Walk:
    """A profile function that notes who calls whom inside the package, in every thread."""

    def __init__(self) -> None:
        self.functions = set[Place]()
        self.moves = set[tuple[Place, Place]]()
        self._places: dict[CodeType, Place | None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note a call."""
        if event != "call" or (called := self._place(frame.f_code)) is None:
            return
        self.functions.add(called)
        by, caller = frame.f_back, None
        while by is not None and caller is None:
            caller, by = self._place(by.f_code), by.f_back
        if caller is not None and caller[0] != called[0]:
            self.moves.add((caller, called))

    def _place(self, code: CodeType) -> Place | None:
        if code not in self._places:
            own = code.co_filename.startswith(_PACKAGE) and code.co_flags & CO_OPTIMIZED and code.co_name[0] != "<"
            self._places[code] = (code.co_filename.removeprefix(_PACKAGE), code.co_qualname) if own else None
        return self._places[code]

    def told(self) -> str:
        """Return the figures, and the files by how many of their functions are used."""
        by_file = Counter(file for file, _ in self.functions)
        lines = [f"{len(self.functions)} functions, {len(by_file)} files, {len(self.moves)} moves between files"]
        return "\n".join([*lines, *(f"{count:5} {file}" for file, count in by_file.most_common())])


def walk(words: list[str]) -> Walk:
    """Run the command in this process, to its end, and note who calls whom."""
    from bulk_remove.cli import main  # noqa: PLC0415 - what is done while it is imported belongs to no number

    seen = Walk()
    sys.argv = ["bulk-remove", *words]
    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


def main() -> None:
    """Print the figures of one number's walk."""
    if sys.argv[1:]:
        sys.stdout.write(f"{walk(sys.argv[1:]).told()}\n")
        return
    with tempfile.TemporaryDirectory() as name, simulator(Path(name)) as server:
        folder = Path(name)
        (folder / "numbers.csv").write_text("phone\n600000001\n", encoding="utf-8")
        words = ["run", str(folder / "numbers.csv"), "-c", "00001", "--url", server.url, "--user", "demo", "--yes"]
        words += ["--state-dir", str(folder / "state"), "-o", str(folder / "report.csv")]
        subprocess.run(  # a process of its own, in which nothing is imported or cached yet
            [sys.executable, "-m", "tests.walk", *words],
            env={**os.environ, "BULK_REMOVE_PASSWORD": DEMO_PASSWORD, "NO_COLOR": "1"},
            check=True,
        )


if __name__ == "__main__":
    main()
