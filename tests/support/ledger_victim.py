"""A process that sends on paper: writes intents and verdicts, says each once it is on disk, and waits to be killed.

`python -m tests.support.ledger_victim FOLDER step` waits for a line after each; with a number instead of `step`, that
many workers go on without waiting.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.model import Alike, Chunk, NumberState
from bulk_remove.ledger import Journal, Sending
from tests.support.inline_journal import planned

NUMBERS = [f"{500_000_000 + index}" for index in range(3000)]
REMOVED = NumberState("R", 1, (7,), 1, 0, 0.0, 2.0)


async def work(journal: Journal, chunks: Iterator[Chunk], told: Callable[[str], object]) -> None:
    for chunk in chunks:
        attempt_id = await journal.write(partial(Sending.begin_attempt, chunk_id=chunk.chunk_id, now_s=1.0))
        told(f"intent {chunk.chunk_id} {attempt_id}")

        def settle(steps: Sending, chunk: Chunk = chunk, attempt_id: int = attempt_id) -> None:
            steps.settle(chunk, Alike.of([REMOVED] * len(chunk.numbers)), {})
            steps.end_attempt(attempt_id, 2.0, "verdicts", "", 0)

        await journal.write(settle)
        told(f"verdict {chunk.chunk_id} {attempt_id}")


async def main(folder: Path, mode: str) -> None:
    os.umask(0)
    store = planned(folder, NUMBERS, RequestShape("00001", max_numbers=3))
    with Journal(store) as journal:
        chunks = iter(await journal.write(lambda steps: steps.planned_chunks(0, len(NUMBERS))))
        told = tell_and_wait if mode == "step" else tell
        await asyncio.gather(*[work(journal, chunks, told) for _ in range(1 if mode == "step" else int(mode))])


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def tell_and_wait(line: str) -> None:
    tell(line)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
