"""Keyrings for tests, chosen by PYTHON_KEYRING_BACKEND: one in a file, and one that is locked."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileKeyring(KeyringBackend):
    """Keeps everything in the file that FILE_KEYRING names, in the open."""

    priority = 1

    def _all(self) -> dict[str, str]:
        file = Path(os.environ["FILE_KEYRING"])
        held: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return held

    def _keep(self, held: dict[str, str]) -> None:
        Path(os.environ["FILE_KEYRING"]).write_text(json.dumps(held), encoding="utf-8")

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}|{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep({**self._all(), f"{service}|{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        held = self._all()
        del held[f"{service}|{username}"]
        self._keep(held)


class LockedKeyring(FileKeyring):
    """Answers nothing."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked(f"no {service} for {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked(f"{password} is not kept for {username} at {service}")
