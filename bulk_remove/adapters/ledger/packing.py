"""How many values become one cell of the ledger: JSON columns, the plain case short.

Of a chunk's states each kind is stored once (core/alike.py): most chunks are settled by one reply, so most
hold one or two kinds, and a record id for each number.

A lone surrogate (in the name of a file that is not UTF-8, or in a text given by a program) is no character: it is
kept as a question mark.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_type_hints

import orjson

from bulk_remove.core.alike import Alike, RecordId
from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import Again, Chunk, NumberedBlock, NumberState, RowBlock, Source
from bulk_remove.core.unasked import Unasked

_PLAIN = {name: kind for name, kind in get_type_hints(Source).items() if kind in {str, int}}


def pack_states(states: Alike[NumberState]) -> bytes:
    """Pack the states of a chunk's numbers."""
    which = None if len(states.kinds) == 1 else states.which
    return _dumps([[tuple(kind) for kind in states.kinds], which, states.ids])


def unpack_states(packed: bytes | None, size: int) -> Alike[NumberState]:
    """Return what `pack_states` packed of so many numbers; None stands for numbers that no request has carried yet."""
    if packed is None:
        return Alike((NEW,), [0] * size)
    kinds, which, ids = orjson.loads(packed)
    return Alike(
        tuple(_state(*kind) for kind in kinds),
        [0] * size if which is None else which,
        [tuple(found) if type(found) is list else found for found in ids] if ids and list in {*map(type, ids)} else ids,
    )


def pack_state(state: NumberState) -> str:
    """Pack the state of one number."""
    return _dumps(tuple(state)).decode()


def unpack_state(packed: str) -> NumberState:
    """Return what `pack_state` packed."""
    return _state(*orjson.loads(packed))


def _state(phase: str, removed: int, record_ids: Iterable[RecordId], *rest: Any) -> NumberState:
    return NumberState(phase, removed, tuple(record_ids), *rest)


def pack_again(again: Mapping[int, Again], chunk: Chunk) -> str | None:
    """Pack which numbers of a chunk (by place) are asked for again, when, and as what if in another form."""
    if not again:
        return None
    packed = [
        (place, how.due_s) if (how.number, how.form) == (chunk.numbers[place], chunk.form) else (place, *how)
        for place, how in again.items()
    ]
    return _dumps(packed).decode()


def unpack_again(packed: str | None) -> dict[int, tuple[float, str | None, int | None]]:
    """Return what `pack_again` packed, as (due, number, form); the last two are None for one in the same form."""
    if packed is None:
        return {}
    return {place: (due_s, *(other or (None, None))) for place, due_s, *other in orjson.loads(packed)}


def pack_unasked(removals: Sequence[Unasked]) -> str | None:
    """Pack the removals of a reply that nobody asked for."""
    return _dumps([tuple(each) for each in removals]).decode() if removals else None


def unpack_unasked(packed: str) -> list[Unasked]:
    """Return what `pack_unasked` packed."""
    return [Unasked(number, tuple(record_ids)) for number, record_ids in orjson.loads(packed)]


def pack_source(source: Source) -> str:
    """Pack what is known of a source."""
    return _dumps(asdict(source)).decode()


def unpack_source(packed: str) -> Source:
    """Return what `pack_source` packed. Raises TypeError where it is of other types, among others."""
    properties = orjson.loads(packed)
    if any(type(properties.get(name, kind())) is not kind for name, kind in _PLAIN.items()):
        raise TypeError(Source.__name__)
    lists = {name: tuple(properties[name]) for name in ("header", "notes", "beside") if name in properties}
    return Source(**{**properties, **lists})


def pack_settings(settings: Mapping[str, object]) -> str:
    """Pack the run's settings."""
    return _dumps(settings).decode()


def pack_block(block: NumberedBlock) -> tuple[str, str, bytes]:
    """Pack a block (of at least one row) into its numbers, its campaigns and the rest.

    Cells that are what is sent, as in a clean file, are not written twice; neither is a campaign that all rows share.
    """
    rows, numbers, campaigns = block.rows, list(block.numbers), block.campaigns
    cells = list(rows.cells)
    rest = [
        list(rows.rows),
        None if cells == numbers else cells,
        {str(index): problem for index, problem in block.problems.items()},
        list(rows.others),
    ]
    shared = len(set(campaigns)) == 1
    return "\n".join(numbers), campaigns[0] if shared else "\n".join(campaigns), _dumps(rest)


def unpack_numbers(numbers: str, campaigns: str) -> tuple[list[str], list[str]]:
    """Return the numbers of a packed block, and the campaign of each."""
    each = numbers.split("\n")
    return each, campaigns.split("\n") if "\n" in campaigns else [campaigns] * len(each)


def unpack_block(source: Source, numbers: str, campaigns: str, contents: bytes) -> NumberedBlock:
    """Return what `pack_block` packed; the campaign cells as they were read are not kept."""
    each, campaign_of = unpack_numbers(numbers, campaigns)
    rows, cells, problems, others = orjson.loads(contents)
    block = RowBlock(source, rows, each if cells is None else cells, [tuple(cells) for cells in others])
    return NumberedBlock(block, each, campaign_of, {int(index): problem for index, problem in problems.items()})


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # it refuses surrogates, which is what makes it fast
        return json.dumps(value, ensure_ascii=False).encode(errors="replace")
