"""The samples that are packed: each way of packing, with another kind of file in it."""

import gzip
import io
import sys
import zipfile
from collections.abc import Iterator

from tests.support.samples.tables import Sample, all_sent, people
from tests.support.samples.texts import table

_WHEN = (2025, 3, 1, 0, 0, 0)


def packed() -> Iterator[Sample]:
    """Yield the samples that are packed text files."""
    persons = people(401)
    yield Sample("packed/leads.csv.gz", gzip.compress(table(persons).encode(), mtime=0), all_sent(persons))
    persons = people(421)
    yield Sample("packed/leads.tsv.zst", _zst(table(persons, "\t").encode()), all_sent(persons))
    persons = people(441)
    text = table(persons, ";", "\r\n").encode("cp1250")
    yield Sample("packed/opt_outs.zip", _zip("sprzeciwy.csv", text), all_sent(persons))


def _zst(content: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - where it is depends on the version
    else:
        from backports import zstd  # noqa: PLC0415 - where it is depends on the version
    return zstd.compress(content)


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, _WHEN), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
