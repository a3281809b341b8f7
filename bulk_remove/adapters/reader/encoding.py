"""Which encoding a text file is in, and whether every byte of it decodes.

UTF-8 tells itself by its form, UTF-16 by its mark or its zeros. Encodings of one byte a letter do not: nearly any bytes
decode in nearly all of them, and cp1250 (Windows) and ISO-8859-2 differ in little but ą, ś and ź. So what comes out is
looked at: the encodings of Polish are taken when Polish letters stand inside words and nothing stands there that is no
letter. Only for what is not Polish is charset-normalizer asked, and its answer has to pass the same look. Phone numbers
are ASCII in all of these: what hangs on it are the names of the columns and the cells kept beside the numbers.
"""

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from typing import BinaryIO

from bulk_remove.adapters.reader.files import READ_BYTES, LookedOver
from bulk_remove.adapters.reader.text import TextFile
from bulk_remove.core.model import mask
from bulk_remove.errors import InputError, UsageError

_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_NEIGHBOURS = frozenset("áâäçéëíîôöúüýßÁÂÄÇÉËÍÎÔÖÚÜÝ")
"""Letters of neighbours' names, which cp1250, ISO-8859-2 and cp1252 write alike."""
_SIGNS = frozenset("„”“’‘‚‹›«»–—…•·§°©®™€£¤¨´×÷±¦¬\u00a0\u00ad")  # noqa: RUF001 - meant as they are
_BETWEEN_LETTERS = frozenset("’–")  # noqa: RUF001 - meant as they are
"""O'Neil and Bielsko-Biala as Word writes them; any other sign there is a letter read wrongly."""
_POLISH_ENCODINGS = {"cp1250": 0, "iso8859-2": 0, "cp852": 3, "mac-latin2": 3}
"""In the order of how often exports are in them, with how many different Polish letters it takes to believe it.

cp852 (DOS) and mac-latin2 (Excel for Mac) are rare, so that a letter or two may be an accident.
"""
_STRANGERS = 0.05  # how much of what is not ASCII may be none of the above: names from farther away
_FEWEST_KINDS = 3  # different characters on which the detector's answer is believed
_SAMPLE_BYTES = 1 << 16
_ASCII = bytes(range(128))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LETTER = rb"[A-Za-z\x80-\xff]"
_BESIDE = re.compile(rb"(?<=%b)[\x80-\xff]|[\x80-\xff](?=%b)" % (_LETTER, _LETTER))
_BETWEEN = re.compile(rb"(?<=%b)[\x80-\xff](?=%b)" % (_LETTER, _LETTER))
_C1_CONTROL = re.compile("[\x80-\x9f]")


def decoded(looked_over: LookedOver, wanted: str | None) -> TextFile:
    """Return the text in the wanted encoding, or in the one that is found out when that is None.

    Raises InputError when none is certain or some byte does not decode, UsageError for an encoding Python has not.
    """
    if wanted is not None:
        return _wanted(looked_over, wanted)
    if not looked_over.text_fault:
        return TextFile(looked_over, "utf-8-sig" if looked_over.has_bom else "utf-8", looked_over.has_quotes)
    if not looked_over.has_bom:
        if utf16 := _utf16(looked_over):
            return _checked(looked_over, utf16, ())
        if encoding := _found_by_letters(looked_over):
            note = f"The text is not UTF-8: {encoding} was found out by its letters; --encoding names another."
            return _checked(looked_over, encoding, (note,))
    raise _undecided(looked_over.name, looked_over.text_fault)


def _wanted(looked_over: LookedOver, wanted: str) -> TextFile:
    try:
        b"".decode(wanted)
        encoding = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        raise UsageError(
            f"There is no text encoding '{mask(wanted)}'.", "Name one that Python knows, for example --encoding cp1250."
        ) from None
    if encoding in {"utf-8", "utf-8-sig"}:
        if looked_over.text_fault:
            raise _undecided(looked_over.name, looked_over.text_fault)
        return decoded(looked_over, None)
    if looked_over.has_bom:
        raise InputError(
            f"{looked_over.name} begins with the mark of UTF-8, so it is not {encoding}.", "Leave out --encoding."
        )
    return _checked(looked_over, encoding, ())


def _checked(looked_over: LookedOver, encoding: str, notes: tuple[str, ...]) -> TextFile:
    """Decode the whole file strictly. Raises InputError with the line where that fails or gives no text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, has_quotes = 1, False
    with looked_over.opened() as file:
        while True:
            piece = file.read(READ_BYTES)
            try:
                text = decoder.decode(piece, not piece)
            except UnicodeError as error:
                # What decodes of this piece before the fault, to count its lines.
                before = _decoded_before(error, encoding)
                raise _not_in(looked_over.name, encoding, lines + before.count("\n")) from None
            if (fault := _fault_in(text, encoding)) is not None:
                raise _not_in(looked_over.name, encoding, lines + text.count("\n", 0, fault))
            lines += text.count("\n")
            has_quotes = has_quotes or '"' in text
            if not piece:
                return TextFile(looked_over, encoding, has_quotes, notes)


def _decoded_before(error: UnicodeError, encoding: str) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return ""
    return error.object[: error.start].decode(encoding, "replace")


def _fault_in(text: str, encoding: str) -> int | None:
    """Return the place of a NUL, or of a control character that only a wrong encoding gives."""
    nul = text.find("\0")
    control = None if encoding.startswith("utf") else _C1_CONTROL.search(text)
    places = ([nul] if nul >= 0 else []) + ([control.start()] if control else [])
    return min(places, default=None)


def _utf16(looked_over: LookedOver) -> str | None:
    """Return which UTF-16 it is: by its mark, or because every other byte of mostly ASCII text is zero."""
    if looked_over.start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if looked_over.start.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    with looked_over.opened() as file:
        start = file.read(_SAMPLE_BYTES)
    even, odd = start[::2].count(0), start[1::2].count(0)
    if not even and 2 * odd > len(start) // 2:
        return "utf-16-le"
    if not odd and 2 * even > len(start) // 2:
        return "utf-16-be"
    return None


@dataclass(frozen=True, slots=True)
class _Census:
    """The bytes past ASCII of a whole file: how many of each, and how many of them beside a letter and between two.

    `sample` is some of its lines.
    """

    all: Counter[int]
    beside: Counter[int]
    between: Counter[int]
    sample: bytes

    def looks_like_utf8(self) -> bool:
        """Whether what is not ASCII is mostly well-formed UTF-8: then it is UTF-8 that was damaged."""
        runs = _HIGH_RUN.findall(self.sample)
        return 2 * sum(_is_utf8(run) for run in runs) >= len(runs)


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode()
    except UnicodeDecodeError:
        return False
    return True


def _census(file: BinaryIO) -> _Census:
    census = _Census(Counter(), Counter(), Counter(), b"")
    while piece := file.read(READ_BYTES):
        if piece.isascii():
            continue
        census.all.update(piece.translate(None, _ASCII))
        census.beside.update(b"".join(_BESIDE.findall(piece)))
        census.between.update(b"".join(_BETWEEN.findall(piece)))
        if len(census.sample) < _SAMPLE_BYTES:
            lines = b"\n".join(line for line in piece.splitlines() if not line.isascii())
            census = replace(census, sample=census.sample + lines[:_SAMPLE_BYTES] + b"\n")
    return census


def _found_by_letters(looked_over: LookedOver) -> str | None:
    with looked_over.opened() as file:
        census = _census(file)
    if not census.all or census.looks_like_utf8():
        return None
    letters = {encoding: _polish_letters(census, encoding) for encoding in _POLISH_ENCODINGS}
    best = max(letters, key=lambda encoding: letters[encoding])  # the first of equals, and cp1250 comes first
    if letters[best] >= 0:
        return best
    return _detected(census.sample)


def _polish_letters(census: _Census, encoding: str) -> int:
    """Return how many Polish letters stand in words, -1 when this is no Polish text in that encoding."""
    try:
        letters = {byte: bytes([byte]).decode(encoding) for byte in census.all}
    except UnicodeDecodeError:
        return -1
    if _C1_CONTROL.search("".join(letters.values())):
        return -1
    known = _POLISH | _NEIGHBOURS
    strange = _count(census.all - census.between, letters, known | _SIGNS)
    strange += _count(census.between, letters, known | _BETWEEN_LETTERS)
    if strange > _STRANGERS * census.all.total():
        return -1
    kinds = {letters[byte] for byte in census.beside} & _POLISH
    if len(kinds) < _POLISH_ENCODINGS[encoding]:
        return -1
    return census.beside.total() - _count(census.beside, letters, _POLISH)


def _count(bytes_seen: Counter[int], letters: dict[int, str], but: frozenset[str]) -> int:
    return sum(count for byte, count in bytes_seen.items() if letters[byte] not in but)


def _detected(sample: bytes) -> str | None:
    """Return what charset-normalizer finds, when that has ASCII at its bottom and gives words."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - rarely needed

    best = from_bytes(sample).best()
    if best is None or not _extends_ascii(best.encoding):
        return None
    strange = {letter for letter in str(best) if not letter.isascii()}
    if len(strange) < _FEWEST_KINDS or any(not _is_text(letter) for letter in strange):
        return None
    return codecs.lookup(best.encoding).name


def _extends_ascii(encoding: str) -> bool:
    try:
        return _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except UnicodeError:
        return False


def _is_text(letter: str) -> bool:
    return letter in _SIGNS or unicodedata.category(letter)[0] in "LM" or "\u3000" <= letter <= "\u303f"


def _not_in(name: str, encoding: str, line: int) -> InputError:
    return InputError(
        f"{name} holds bytes that are no text in {encoding} (line {line}).",
        "Name the encoding that it is in with --encoding, or save it as UTF-8; in Excel, File > Save as > CSV UTF-8.",
    )


def _undecided(name: str, fault: str) -> InputError:
    return InputError(
        f"{name} {fault}, and no other encoding is certain.",
        "Save it as UTF-8 (in Excel, File > Save as > CSV UTF-8), or name its encoding, for example --encoding cp1250.",
    )
