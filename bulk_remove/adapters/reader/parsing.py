"""XML parsed by events, its faults turned into a sentence."""

from collections.abc import Callable, Iterable
from xml.parsers import expat

from bulk_remove.adapters.reader.damage import damaged


def parse(
    path: str,
    pieces: Iterable[bytes],
    start: Callable[[str, dict[str, str]], object],
    end: Callable[[str], object] | None = None,
) -> None:
    """Call `start` and `end` for each element. Raises InputError when the text is not well-formed XML.

    expat expands no entity from outside, and refuses those that grow beyond all measure.
    """
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        for piece in pieces:
            parser.Parse(piece, False)  # noqa: FBT003 - the parser's own signature
        parser.Parse(b"", True)  # noqa: FBT003 - the same
    except (expat.ExpatError, LookupError, ValueError):  # the latter two for encodings that Python does not know
        raise damaged(path) from None
