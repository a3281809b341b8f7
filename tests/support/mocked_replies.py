"""aioresponses as it works with the newest aiohttp: the response takes an argument that aioresponses does not give."""

import re
from typing import Any
from unittest.mock import Mock

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aioresponses import aioresponses

_ANY_URL = re.compile("")


class MockedResponse(aiohttp.ClientResponse):
    """A response whose request counts as sent, though nobody wrote it."""

    def __init__(self, method: str, url: Any, **options: Any) -> None:
        super().__init__(method, url, stream_writer=Mock(spec=AbstractStreamWriter, output_size=0), **options)


def add_reply(mock: aioresponses, method: str, **options: Any) -> None:
    """Have the next request of that method answered as `aioresponses.add` says."""
    mock.add(_ANY_URL, method, response_class=MockedResponse, **options)
