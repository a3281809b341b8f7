"""Compile the catalogues that people edit (.po) into those that are read (.mo). Run as `make translations`."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bulk_remove.language import DOMAIN, LOCALE_FOLDER


def sources() -> Iterator[Path]:
    """Yield the catalogues that people edit."""
    yield from sorted(LOCALE_FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def catalogue(source: Path) -> Catalog:
    """Read a catalogue."""
    with source.open("rb") as file:
        return read_po(file, locale=source.parents[1].name)


if __name__ == "__main__":
    for source in sources():
        with source.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, catalogue(source))
