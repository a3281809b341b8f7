"""A metrics file for node_exporter's textfile collector, which may read it at any moment, as another user."""

import os
from pathlib import Path

from bulk_remove.errors import StorageError
from bulk_remove.language import phrase


def write_metrics(path: Path, text: str) -> None:
    """Write the file aside and give it its name when it is whole; readable by everybody. Raises StorageError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")  # the collector reads *.prom alone
    try:
        try:
            aside.write_text(text, encoding="utf-8", newline="\n")
            aside.chmod(0o644)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            phrase("The metrics file {path} cannot be written: {problem}.", path=path, problem=error.strerror),
            "Name a file in a folder that exists.",
        ) from None
