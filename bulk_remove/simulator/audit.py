"""The audit: what the server really did, request by request, whatever the client was told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import orjson

from bulk_remove.simulator.world import RecordIds

_NOTHING: RecordIds = MappingProxyType({})
_BY_NUMBER = ("removed", "in_call", "through_additional")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request.

    `asked` are the numbers as they came, without the last `dropped` variables that `max_input_vars` cut off.
    `removed` and `in_call` give the record ids by number, for what was done and what was not; where `acted`, a
    number asked for that is in neither did not exist, or was not come to where the fault came midway;
    `through_additional` are those removed of records that have the number among their additional ones alone.
    `answered` is the HTTP status, 0 where no status line was sent; `fault` is what was injected, empty if nothing.
    `whole` says whether the reply went out in full to a connection that was still open; a client that turned away at
    that very moment cannot be known.
    """

    seq: int
    time_s: float
    method: str
    campaign: str
    answered: int
    whole: bool
    request_id: str = ""
    fault: str = ""
    acted: bool = False
    asked: tuple[str, ...] = ()
    dropped: int = 0
    removed: RecordIds = field(default_factory=lambda: _NOTHING)
    in_call: RecordIds = field(default_factory=lambda: _NOTHING)
    through_additional: RecordIds = field(default_factory=lambda: _NOTHING)


class Audit:
    """Keeps the entries in memory, or in a JSONL file when given its path.

    The file is made anew; it has one line a request, handed to the system before the reply goes out. `entries` is
    only filled without a path. Raises OSError where the file cannot be made.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[AuditEntry] = []
        self._file = None if path is None else path.open("wb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, entry: AuditEntry) -> None:
        """Keep one entry."""
        if self._file is None:
            self.entries.append(entry)
        else:
            self._file.write(_line(entry))

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()


def read_audit(path: Path) -> Iterator[AuditEntry]:
    """The entries of an audit file, in the order of acting; a last line that is not whole is left out."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _entry(orjson.loads(line))


def _line(entry: AuditEntry) -> bytes:
    values = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    for name in _BY_NUMBER:
        values[name] = dict(values[name])  # orjson writes plain dicts only
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def _entry(values: dict[str, Any]) -> AuditEntry:
    for name in _BY_NUMBER:
        values[name] = MappingProxyType({number: tuple(ids) for number, ids in values[name].items()})
    return AuditEntry(**{**values, "asked": tuple(values["asked"])})
