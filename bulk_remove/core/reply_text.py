"""The JSON of a reply, with what PHP may put around it, and with keys that stand in it twice.

PHP writes notices into the body, before the JSON or after it, and a file with a byte order mark puts that in front.
The JSON is taken only where it is one whole value and all around it is known to be such text; nothing is guessed.
"""

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

import orjson

from bulk_remove.core.model import harmless

DETAIL_MAX_CHARS = 300
"""How much of a server's own words is kept; its pages of HTML are not worth more."""
_BEGINNING = re.compile(r'\{\s*["}]|\[\s*[\[{"\]]')
_NOTICE = re.compile(
    r"(?:PHP )?(?:[A-Z][a-z]+ )?(?:Notice|Warning|Deprecated|Standards|error): .* on line \d+"
    r"|(?:PHP )?Fatal error: +Uncaught .*:\d+|Stack trace:|#\d+ .*|thrown in .* on line \d+",
    re.IGNORECASE,
)
_TAGS = re.compile(r"<br ?/?>|</?b>", re.IGNORECASE)
_DECODER = json.JSONDecoder()


class Several(list[Any]):
    """The values of a key that stands more than once in an object."""


def json_of(body: bytes) -> tuple[Any, bytes]:
    """Return the JSON of a body, decoded and as it stands there. Raises ValueError where it is not certain."""
    try:
        return orjson.loads(body), body
    except orjson.JSONDecodeError:
        text = _without_notices(body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        return orjson.loads(text), text


def _without_notices(text: str) -> str:
    found = _BEGINNING.search(text)
    if found is None:
        raise ValueError
    start = found.start()
    try:
        end = _DECODER.raw_decode(text, start)[1]
    except RecursionError:
        raise ValueError from None
    if not (_is_notices(text[:start]) and _is_notices(text[end:])):
        raise ValueError
    return text[start:end]


def _is_notices(text: str) -> bool:
    lines = (line.strip("\ufeff \t\r\0") for line in _TAGS.sub("", text).split("\n"))
    return all(not line or _NOTICE.fullmatch(line) for line in lines)


def may_repeat(text: bytes, document: Mapping[str, Any]) -> bool:
    """Tell whether a key may stand twice in this object of lists of objects; False is certain.

    Of a key that stands twice the decoder keeps the last. The text has a colon for each key, and perhaps some in its
    strings, so that as many colons as decoded keys leave room for no other key.
    """
    try:
        keys = sum(map(len, chain.from_iterable(document.values())))
    except TypeError:  # some value is not a list of objects
        return True
    return text.count(b":") != keys + len(document)


def with_repeats(text: bytes) -> Any:
    """Decode JSON so that the values of a key that stands more than once become `Several`. Raises ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        values: dict[str, Several] = {key: Several() for key in plain}
        for key, value in pairs:
            values[key].append(value)
        return {key: several if len(several) > 1 else several[0] for key, several in values.items()}
    return plain


def words_of(value: object) -> str:
    """Return a decoded value as JSON, in full."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # deeper than it writes, or a number larger than it knows
        return "..."


def masked_words(text: str) -> str:
    """Return what the server says of an error, as it may be shown."""
    return harmless(text, DETAIL_MAX_CHARS)
