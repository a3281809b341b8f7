"""A word to a webhook, a mailbox or a chat, by way of Apprise. Its addresses hold secrets and are never shown."""

import logging
from collections.abc import Sequence

from bulk_remove.errors import UsageError
from bulk_remove.language import phrase


class Notifier:
    """Sends a notification to each of some addresses, as Apprise writes them: https://github.com/caronc/apprise."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Raise UsageError when Apprise is not there or does not know an address."""
        try:
            from apprise import Apprise  # noqa: PLC0415 - an optional library, wanted by few
        except ImportError:
            raise UsageError(
                "--notify needs Apprise, which is not installed.", "Install it: pip install 'bulk-remove[notify]'"
            ) from None
        # What it logs may hold an address.
        logger = logging.getLogger("apprise")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        self._receivers = [Apprise() for _ in urls]
        for place, (receiver, url) in enumerate(zip(self._receivers, urls, strict=True), start=1):
            if not receiver.add(url):
                raise UsageError(
                    phrase("--notify number {place} is no address that Apprise knows.", place=place),
                    "Check it against https://github.com/caronc/apprise; it is not shown, for it may hold a secret.",
                )

    def notify(self, title: str, body: str) -> list[int]:
        """Send to all; returns the places, from 1, of the addresses that could not be reached."""
        return [
            place
            for place, receiver in enumerate(self._receivers, start=1)
            if not receiver.notify(title=title, body=body)
        ]
