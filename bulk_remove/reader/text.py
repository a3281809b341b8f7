"""A text file as characters, and as the UTF-8 that pandas reads, whatever its encoding.

UTF-8 is recognised by its form, UTF-16 by its mark or its zeros, and one-byte encodings by their letters. Nearly all
bytes decode in nearly all of these, so the result must be words in the alphabet of one language. Polish comes first;
for other languages there must be only one answer. charset-normalizer decides only about other scripts: among Latin
scripts it mistakes French for Norwegian in cp1250. Phone numbers are ASCII in all of these encodings; names of columns
and other cells are not.
"""

import codecs
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from bulk_remove.core.model import mask
from bulk_remove.errors import InputError, UsageError
from bulk_remove.language import phrase
from bulk_remove.reader.source import READ_BYTES, LookedOver

_BOM = "\ufeff"
_SEPARATOR_LINE = re.compile(r"""("?)sep=([\t !#-/:-@\[-`{-~])\1(\r\n|\r|\n|\Z)""", re.IGNORECASE)
_SEPARATOR_LINE_CHARACTERS = 9
_LAST_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file with a known encoding in which every byte decodes."""

    looked_over: LookedOver
    encoding: str
    has_quotes: bool
    notes: tuple[str, ...] = ()
    above: int = 0
    separator: str = ""

    @property
    def is_utf8(self) -> bool:
        """Whether its bytes are those of UTF-8."""
        return self.encoding in {"utf-8", "utf-8-sig"}

    @contextmanager
    def characters(self) -> Iterator[io.TextIOWrapper]:
        """Open it as text, with its own line ends, without a byte order mark and without `above`."""
        codec = "utf-8" if self.is_utf8 else self.encoding
        with self._checked() as file:
            text = io.TextIOWrapper(file, encoding=codec, newline="")
            try:
                if text.read(1) != _BOM:
                    text.seek(0)
                text.read(self.above)
                yield text
            finally:
                text.detach()  # otherwise it would close the file, which is checked once more

    def last_line(self) -> str:
        """Return the text after the last line end, or only its end if it is very long."""
        with self._checked() as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _LAST_BYTES) & ~3)  # a whole character in UTF-32
            tail = file.read().decode("utf-8" if self.is_utf8 else self.encoding, errors="replace")
        return re.split(r"[\r\n]", tail.removeprefix(_BOM))[-1]

    @contextmanager
    def utf8(self) -> Iterator[Callable[[int], bytes]]:
        """Open the file as UTF-8: a function that returns the next bytes, about as many as requested."""
        if self.is_utf8:
            with self._checked() as file:
                file.seek(self.above + len(codecs.BOM_UTF8) * self.looked_over.has_bom)
                yield file.read
        else:
            with self.characters() as text:
                yield lambda size: text.read(size).encode()

    @contextmanager
    def _checked(self) -> Iterator[BinaryIO]:
        """Open the bytes; if the file changed, report any error as a change."""
        with self.looked_over.opened() as file:
            try:
                yield file
            except Exception:
                self.looked_over.check_unchanged(file)
                raise
            self.looked_over.check_unchanged(file)


def without_separator_line(text: TextFile) -> TextFile:
    """Return the file below a first line `sep=;`, which Excel writes and reads for its own use."""
    with text.characters() as characters:
        found = _SEPARATOR_LINE.match(characters.read(_SEPARATOR_LINE_CHARACTERS))
    if not found:
        return text
    note = phrase("The first line, 'sep={mark}', is for spreadsheets: row 1 is the line below it.", mark=found[2])
    return replace(text, above=found.end(), separator=found[2], notes=(*text.notes, note))


_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_NEIGHBOURS = frozenset("áâäçéëíîôöúüýßÁÂÄÇÉËÍÎÔÖÚÜÝ")
"""Letters of neighbours' names that are the same in cp1250, ISO-8859-2 and cp1252."""
_SIGNS = frozenset("„”“’‘‚‹›«»–—…•·§°©®™€£¤¨´×÷±¦¬¿¡\u00a0\u00ad")  # noqa: RUF001 - meant as they are
_BETWEEN_LETTERS = frozenset("’–")  # noqa: RUF001 - meant as they are
"""O'Neil and Bielsko-Biala as Word writes them; any other sign there is a wrongly decoded letter."""
_POLISH_ENCODINGS = {"cp1250": 0, "iso8859-2": 0, "cp852": 3, "mac-latin2": 3}
"""In order of how common they are in exports, each with the count of different Polish letters that it requires.

cp852 (DOS) and mac-latin2 (Excel for Mac) are rare, so one or two letters may be an accident.
"""
_EASTERN = ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")  # cs, sk, hu, ro, hr
_WESTERN = ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "àèéìòù", "àáâãçéêíóôõúü", "åäæéöøü")  # de, fr, es, it, pt, Nordic
_ALPHABETS = {"cp1250": _EASTERN, "iso8859-2": _EASTERN, "cp1252": _WESTERN}
_STRANGERS = 0.05  # the share of non-ASCII letters that may be none of the above: names from farther away
_FEWEST_KINDS = 3  # different letters that an answer other than Polish requires
_LAST_ASCII = 127
_ASCII = bytes(range(_LAST_ASCII + 1))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Census:
    """The non-ASCII bytes of a file: how many of each, and how many of them beside a letter and between two."""

    all: Counter[int]
    beside: Counter[int]
    between: Counter[int]
    sample: bytes

    def encoding(self) -> str | None:
        """Return the encoding in which these bytes are words, None if there is none or more than one."""
        if not self.all:
            return None
        runs: list[bytes] = _HIGH_RUN.findall(self.sample)
        if 2 * sum(run.decode(errors="ignore").encode() == run for run in runs) >= len(runs):
            return None  # mostly well-formed UTF-8: it is damaged UTF-8
        letters = {encoding: self._polish_letters(encoding) for encoding in _POLISH_ENCODINGS}
        best = max(letters, key=lambda encoding: letters[encoding])  # the first of equals; cp1250 comes first
        if letters[best] >= 0:
            return best
        return self._of_another_language() or _of_another_script(self.sample)

    def _decoded(self, encoding: str) -> dict[int, str] | None:
        """Return the character of each byte, None if some byte has none or a control character."""
        try:
            letters = {byte: bytes([byte]).decode(encoding) for byte in self.all}
        except UnicodeDecodeError:
            return None
        return None if any(unicodedata.category(letter) == "Cc" for letter in letters.values()) else letters

    def _fits(self, letters: Mapping[int, str], alphabet: frozenset[str]) -> bool:
        strange = _count(self.all - self.between, letters, alphabet | _SIGNS)
        strange += _count(self.between, letters, alphabet | _BETWEEN_LETTERS)
        return strange <= _STRANGERS * self.all.total()

    def _polish_letters(self, encoding: str) -> int:
        """Return how many Polish letters are in words, -1 if this is not Polish text in that encoding."""
        letters = self._decoded(encoding)
        if letters is None or not self._fits(letters, _POLISH | _NEIGHBOURS):
            return -1
        kinds = {letters[byte] for byte in self.beside} & _POLISH
        if len(kinds) < _POLISH_ENCODINGS[encoding]:
            return -1
        return self.beside.total() - _count(self.beside, letters, _POLISH)

    def _of_another_language(self) -> str | None:
        if len(self.all) < _FEWEST_KINDS:
            return None
        texts: dict[str, str] = {}
        for encoding, alphabets in _ALPHABETS.items():
            letters = self._decoded(encoding)
            if letters and any(self._fits(letters, frozenset(letter + letter.upper())) for letter in alphabets):
                texts.setdefault("".join(letters.values()), encoding)
        return texts.popitem()[1] if len(texts) == 1 else None


def census_of(file: BinaryIO) -> Census:
    """Count the bytes of a file that are not ASCII."""
    import numpy as np  # noqa: PLC0415 - only a file that is not UTF-8 should pay for it

    is_letter = np.array([byte > _LAST_ASCII or chr(byte).isalpha() for byte in range(256)])
    counts = np.zeros((3, 256), np.int64)
    sample = b""
    while piece := file.read(READ_BYTES):
        if piece.isascii():
            continue
        codes = np.frombuffer(b" " + piece + b" ", np.uint8)  # a word across two pieces counts as two
        letter, high = is_letter[codes], codes[1:-1] > _LAST_ASCII
        before, after = letter[:-2], letter[2:]
        for index, places in enumerate((high, high & (before | after), high & before & after)):
            counts[index] += np.bincount(codes[1:-1][places], minlength=256)
        if len(sample) < _SAMPLE_BYTES:
            lines = b"\n".join(line for line in piece.splitlines() if not line.isascii())
            sample += lines[:_SAMPLE_BYTES] + b"\n"
    everywhere, beside, between = (
        Counter({byte: int(row[byte]) for byte in row.nonzero()[0].tolist()}) for row in counts
    )
    return Census(everywhere, beside, between, sample)


def _count(bytes_seen: Counter[int], letters: Mapping[int, str], but: frozenset[str]) -> int:
    return sum(count for byte, count in bytes_seen.items() if letters[byte] not in but)


def _of_another_script(sample: bytes) -> str | None:
    """Return charset-normalizer's answer if it extends ASCII and gives letters that are not Latin."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - rarely needed

    best = from_bytes(sample).best()
    if best is None or _ASCII.decode(best.encoding, "replace") != _ASCII.decode("ascii"):
        return None
    strange = {letter for letter in str(best) if not letter.isascii()}
    if len(strange) < _FEWEST_KINDS or not all(map(_of_a_word, strange)):
        return None
    return codecs.lookup(best.encoding).name


def _of_a_word(letter: str) -> bool:
    if letter in _SIGNS:
        return True
    return unicodedata.category(letter)[0] in "LM" and not unicodedata.name(letter, "").startswith("LATIN")


_SAMPLE_BYTES = 1 << 16
_C1_CONTROL = re.compile("[\x80-\x9f]")
_NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}
"""Python's encodings for names and source code: they would turn a cell's text into other digits."""


def decoded(looked_over: LookedOver, wanted: str | None) -> TextFile:
    """Return the text in the wanted encoding, or in the detected one if that is None."""
    if wanted is not None:
        return _wanted(looked_over, wanted)
    if not looked_over.text_fault:
        return TextFile(looked_over, "utf-8-sig" if looked_over.has_bom else "utf-8", looked_over.has_quotes)
    if not looked_over.has_bom:
        if utf16 := _utf16(looked_over):
            return _checked(looked_over, utf16, ())
        with looked_over.opened() as file:
            encoding = census_of(file).encoding()
        if encoding:
            note = phrase(
                "The text is not UTF-8: it looks like {encoding}. If that is wrong, name its encoding with --encoding.",
                encoding=encoding,
            )
            return _checked(looked_over, encoding, (note,))
    raise _undecided(looked_over.name, looked_over.text_fault)


def _wanted(looked_over: LookedOver, wanted: str) -> TextFile:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=wanted).close()  # refuses codecs that give no text
        encoding = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        encoding = ""
    if not encoding or encoding in _NOT_OF_FILES:
        raise UsageError(
            "There is no text encoding '{name}'.",
            "Name one that Python knows, for example --encoding cp1250.",
            name=mask(wanted),
        )
    if encoding in {"utf-8", "utf-8-sig"}:
        if looked_over.text_fault:
            raise _undecided(looked_over.name, looked_over.text_fault)
        return decoded(looked_over, None)
    if looked_over.has_bom:
        raise InputError(
            "{name} begins with the mark of UTF-8, so it is not {encoding}.",
            "Leave out --encoding.",
            name=looked_over.name,
            encoding=encoding,
        )
    return _checked(looked_over, encoding, ())


def _checked(looked_over: LookedOver, encoding: str, notes: tuple[str, ...]) -> TextFile:
    """Decode the whole file strictly. Raises InputError with the first line that fails or is not text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, has_quotes = 1, False
    with looked_over.opened() as file:
        while True:
            piece = file.read(READ_BYTES)
            try:
                text = decoder.decode(piece, not piece)
            except UnicodeError as error:
                raise _not_in(looked_over.name, encoding, lines + _lines_before(error, encoding)) from None
            if (fault := _fault_in(text, encoding)) is not None:
                raise _not_in(looked_over.name, encoding, lines + text.count("\n", 0, fault))
            lines += text.count("\n")
            has_quotes = has_quotes or '"' in text
            if not piece:
                return TextFile(looked_over, encoding, has_quotes, notes)


def _lines_before(error: UnicodeError, encoding: str) -> int:
    if not isinstance(error, UnicodeDecodeError):
        return 0
    before = error.object[: error.start]
    return before.decode(encoding, "replace").count("\n") if encoding.startswith("utf") else before.count(b"\n")


def _fault_in(text: str, encoding: str) -> int | None:
    """Return the position of a NUL, or of a control character that only a wrong encoding gives."""
    nul = text.find("\0")
    control = None if encoding.startswith("utf") else _C1_CONTROL.search(text)
    places = ([nul] if nul >= 0 else []) + ([control.start()] if control else [])
    return min(places, default=None)


def _utf16(looked_over: LookedOver) -> str | None:
    """Return the kind of UTF-16: by its mark, or because every other byte of mostly ASCII text is zero."""
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


def _not_in(name: str, encoding: str, line: int) -> InputError:
    return InputError(
        "{name} has bytes that are not text in {encoding} (line {line}).",
        "Give its encoding with --encoding, or save it as UTF-8; in Excel, File > Save as > CSV UTF-8.",
        name=name,
        encoding=encoding,
        line=line,
    )


def _undecided(name: str, fault: str) -> InputError:
    return InputError(
        "{name} {fault}, and its encoding is not certain.",
        "Save it as UTF-8 (in Excel, File > Save as > CSV UTF-8), or name its encoding, for example --encoding cp1250.",
        name=name,
        fault=fault,
    )
