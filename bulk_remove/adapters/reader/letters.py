"""Which encoding of one byte a letter makes words of a file's bytes.

Nearly any bytes decode in nearly all of these, and cp1250 (Windows) and ISO-8859-2 differ in little but ą, ś and ź. So
what comes out is looked at: whether the alphabet of one language holds it, and whether nothing stands between two
letters that is none. Polish comes first; for other languages the answer must be the only one. charset-normalizer is
asked about other scripts only: among Latin ones it takes French for Norwegian in cp1250.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from bulk_remove.adapters.reader.files import READ_BYTES

_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_NEIGHBOURS = frozenset("áâäçéëíîôöúüýßÁÂÄÇÉËÍÎÔÖÚÜÝ")
"""Letters of neighbours' names, which cp1250, ISO-8859-2 and cp1252 write alike."""
_SIGNS = frozenset("„”“’‘‚‹›«»–—…•·§°©®™€£¤¨´×÷±¦¬¿¡\u00a0\u00ad")  # noqa: RUF001 - meant as they are
_BETWEEN_LETTERS = frozenset("’–")  # noqa: RUF001 - meant as they are
"""O'Neil and Bielsko-Biala as Word writes them; any other sign there is a letter read wrongly."""
_POLISH_ENCODINGS = {"cp1250": 0, "iso8859-2": 0, "cp852": 3, "mac-latin2": 3}
"""In the order of how often exports are in them, with how many different Polish letters it takes to believe it.

cp852 (DOS) and mac-latin2 (Excel for Mac) are rare, so that a letter or two may be an accident.
"""
_EASTERN = ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")  # cs, sk, hu, ro, hr
_WESTERN = ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "àèéìòù", "àáâãçéêíóôõúü", "åäæéöøü")  # de, fr, es, it, pt, Nordic
_ALPHABETS = {"cp1250": _EASTERN, "iso8859-2": _EASTERN, "cp1252": _WESTERN}
_STRANGERS = 0.05  # how much of what is not ASCII may be none of the above: names from farther away
_FEWEST_KINDS = 3  # different letters on which an answer is believed that is not Polish
_SAMPLE_BYTES = 1 << 16
_LAST_ASCII = 127
_ASCII = bytes(range(_LAST_ASCII + 1))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Census:
    """The bytes past ASCII of a whole file: how many of each, and how many of them beside a letter and between two.

    `sample` is some of its lines.
    """

    all: Counter[int]
    beside: Counter[int]
    between: Counter[int]
    sample: bytes

    def encoding(self) -> str | None:
        """Return the encoding that makes words of these bytes, None when none does or more than one."""
        if not self.all or self._looks_like_utf8():
            return None
        letters = {encoding: self._polish_letters(encoding) for encoding in _POLISH_ENCODINGS}
        best = max(letters, key=lambda encoding: letters[encoding])  # the first of equals, and cp1250 comes first
        if letters[best] >= 0:
            return best
        return self._of_another_language() or _of_another_script(self.sample)

    def _looks_like_utf8(self) -> bool:
        """Whether what is not ASCII is mostly well-formed UTF-8: then it is UTF-8 that was damaged."""
        runs = _HIGH_RUN.findall(self.sample)
        return 2 * sum(map(_is_utf8, runs)) >= len(runs)

    def _decoded(self, encoding: str) -> dict[int, str] | None:
        """Return what each byte is, None when some is nothing or a control character."""
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
        """Return how many Polish letters stand in words, -1 when this is no Polish text in that encoding."""
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
        codes = np.frombuffer(b" " + piece + b" ", np.uint8)  # a word cut between two pieces counts as two
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


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode()
    except UnicodeDecodeError:
        return False
    return True


def _of_another_script(sample: bytes) -> str | None:
    """Return what charset-normalizer finds, when that has ASCII at its bottom and gives letters that are not Latin."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - rarely needed

    best = from_bytes(sample).best()
    if best is None or not _extends_ascii(best.encoding):
        return None
    strange = {letter for letter in str(best) if not letter.isascii()}
    if len(strange) < _FEWEST_KINDS or not all(map(_of_a_word, strange)):
        return None
    return codecs.lookup(best.encoding).name


def _extends_ascii(encoding: str) -> bool:
    try:
        return _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except UnicodeError:
        return False


def _of_a_word(letter: str) -> bool:
    if letter in _SIGNS:
        return True
    return unicodedata.category(letter)[0] in "LM" and not unicodedata.name(letter, "").startswith("LATIN")
