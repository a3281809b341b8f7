"""A metrics file for node_exporter's textfile collector, which may read it at any moment, as another user."""

from pathlib import Path

from bulk_remove.disk import written
from bulk_remove.errors import StorageError
from bulk_remove.language import ours, phrase


def write_metrics(path: Path, text: str) -> None:
    """Write the file aside and give it its name when it is whole; readable by everybody. Raises StorageError."""
    try:
        with written(path, mode=0o644) as aside:  # the collector reads *.prom alone, and this ends otherwise till then
            aside.file.write(text.encode(errors="replace"))
    except OSError as error:
        raise StorageError(
            phrase(
                "The metrics file {path} cannot be written: {problem}.", path=path, problem=ours(str(error.strerror))
            ),
            "Name a file in a folder that exists.",
        ) from None
