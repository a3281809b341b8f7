"""How the server puts what it found: the body of a reply, with the liberties that a real one takes."""

import random
from collections.abc import Collection

import orjson

from tests.simulation.audit import Entries
from tests.simulation.fates import Climate
from tests.simulation.forms import LOCAL_DIGITS

_NONE: Entries = [{"http_status": 404, "status": "NOT_EXIST"}]
_BOM = b"\xef\xbb\xbf"
_NOTICE = b"<br />\n<b>Warning</b>:  Undefined array key in <b>/srv/batch.php</b> on line <b>7</b><br />\n"
PAGE = b"<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>"


def envelope(message: str, request_id: str) -> bytes:
    """Return the body of a refusal."""
    return orjson.dumps({"request_id": request_id, "errors": [{"message": message, "code": 111111}]})


def reply_body(
    said: dict[str, Entries], others: dict[str, Entries], climate: Climate, dice: random.Random
) -> tuple[bytes, int]:
    """Return a reply in no certain order, and how many numbers it speaks of that nobody asked for: `others` too."""
    document = {_respelt(number, climate, dice): entries for number, entries in said.items()}
    strangers = _strangers(document, dice) if dice.random() < climate.strangers else {}
    pairs = [*document.items(), *strangers.items(), *others.items()]
    if said and dice.random() < climate.repeating:
        number = dice.choice([*said])
        pairs.append((_respelt(number, climate, dice), _NONE))
    dice.shuffle(pairs)
    if not pairs:
        return b"[]", 0  # PHP's empty map
    return _written(pairs, climate, dice), len(strangers) + len(others)


def _written(pairs: list[tuple[str, Entries]], climate: Climate, dice: random.Random) -> bytes:
    """Write an object, a key twice if it stands there twice, with the marks that PHP leaves."""
    dressing = dice.choice((_BOM, _NOTICE, b"bare")) if dice.random() < climate.dressing else b""
    if dressing == b"bare":
        told = ((number, entries[0] if len(entries) == 1 else entries) for number, entries in pairs)
        return b"{" + b", ".join(b"%b : %b" % (orjson.dumps(key), orjson.dumps(value)) for key, value in told) + b"}"
    body = b"{" + b",".join(b"%b:%b" % (orjson.dumps(key), orjson.dumps(value)) for key, value in pairs) + b"}"
    return dressing + body + (dressing if dressing == _NOTICE else b"")


def misspelt(number: str, dice: random.Random) -> str:
    """Spell a number as one that it is not."""
    local = number[-LOCAL_DIGITS:]
    return dice.choice((f"49{local}", f"1{local}", f"{(int(local[0]) + 2) % 10}{local[1:]}", f"+49{local}"))


def cut(body: bytes, dice: random.Random) -> bytes:
    """Return the beginning of a body."""
    return body[: dice.randrange(len(body))]


def _respelt(number: str, climate: Climate, dice: random.Random) -> str:
    """Spell a number as a server might that keeps its numbers otherwise; short ones could then mean others."""
    local = number[-LOCAL_DIGITS:]
    if len(local) < LOCAL_DIGITS or dice.random() >= climate.respelling:
        return number
    return dice.choice((local, f"48{local}", f"+48{local}", f"0048{local}"))


def _strangers(taken: Collection[str], dice: random.Random) -> dict[str, Entries]:
    drawn = [str(dice.randint(700_000_000, 799_999_999)) for _ in range(dice.randint(1, 3))]
    return {number: _NONE for number in drawn if number not in taken}
