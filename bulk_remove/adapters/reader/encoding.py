"""Which encoding a text file is in, and whether every byte of it decodes.

UTF-8 tells itself by its form, UTF-16 by its mark or its zeros, the rest by its letters. Phone numbers are ASCII in all
of them: what hangs on the encoding are the names of the columns and the cells kept beside the numbers.
"""

import codecs
import io
import re

from bulk_remove.adapters.reader.files import READ_BYTES, LookedOver
from bulk_remove.adapters.reader.letters import census_of
from bulk_remove.adapters.reader.text import TextFile
from bulk_remove.core.model import mask
from bulk_remove.errors import InputError, UsageError
from bulk_remove.language import phrase

_SAMPLE_BYTES = 1 << 16
_C1_CONTROL = re.compile("[\x80-\x9f]")
_NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}
"""Python's encodings of names and of source code: they would make other digits of what stands in a cell."""


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
        with looked_over.opened() as file:
            encoding = census_of(file).encoding()
        if encoding:
            note = phrase(
                "The text is not UTF-8: {encoding} was found out by its letters; --encoding names another.",
                encoding=encoding,
            )
            return _checked(looked_over, encoding, (note,))
    raise _undecided(looked_over.name, looked_over.text_fault)


def _wanted(looked_over: LookedOver, wanted: str) -> TextFile:
    encoding = _known(wanted)
    if encoding is None or encoding in _NOT_OF_FILES:
        raise UsageError(
            phrase("There is no text encoding '{name}'.", name=mask(wanted)),
            "Name one that Python knows, for example --encoding cp1250.",
        )
    if encoding in {"utf-8", "utf-8-sig"}:
        if looked_over.text_fault:
            raise _undecided(looked_over.name, looked_over.text_fault)
        return decoded(looked_over, None)
    if looked_over.has_bom:
        raise InputError(
            phrase(
                "{name} begins with the mark of UTF-8, so it is not {encoding}.",
                name=looked_over.name,
                encoding=encoding,
            ),
            "Leave out --encoding.",
        )
    return _checked(looked_over, encoding, ())


def _known(encoding: str) -> str | None:
    """Return Python's own name of a text encoding, None where it has no such one."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding).close()  # which refuses codecs that give no text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        return None


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


def _not_in(name: str, encoding: str, line: int) -> InputError:
    return InputError(
        phrase(
            "{name} holds bytes that are no text in {encoding} (line {line}).", name=name, encoding=encoding, line=line
        ),
        "Name the encoding that it is in with --encoding, or save it as UTF-8; in Excel, File > Save as > CSV UTF-8.",
    )


def _undecided(name: str, fault: str) -> InputError:
    return InputError(
        phrase("{name} {fault}, and no other encoding is certain.", name=name, fault=fault),
        "Save it as UTF-8 (in Excel, File > Save as > CSV UTF-8), or name its encoding, for example --encoding cp1250.",
    )
