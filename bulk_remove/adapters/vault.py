"""The system's keyring: a password for each server and user. An optional extra; it is loaded only where it is needed.

A password is kept under its server's name, so that it is never offered to another one.
"""

from typing import TYPE_CHECKING

from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

if TYPE_CHECKING:
    from types import ModuleType

_ELSEWHERE = phrase("use --password-file, --password-command or BULK_REMOVE_PASSWORD.")


def stored_password(server: str, user: str) -> str:
    """Return the password that `store_password` kept; empty when there is none, or no keyring to hold one.

    Raises UsageError when there is a keyring that cannot be asked, as one that is locked.
    """
    keyring = _loaded()
    if keyring is None:
        return ""
    try:
        return keyring.get_password(_service(server), user) or ""
    except keyring.errors.NoKeyringError:
        return ""
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None


def check_keyring() -> None:
    """Raise UsageError where no password could be stored, before one is asked for."""
    _needed()


def store_password(server: str, user: str, password: str) -> str:
    """Keep a password, and read it back; returns the name of the keyring. Raises UsageError when it is not kept."""
    keyring = _needed()
    try:
        keyring.set_password(_service(server), user, password)
        kept = keyring.get_password(_service(server), user) == password
        name = str(keyring.get_keyring().name)
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None
    if not kept:
        raise UsageError(
            phrase("The keyring ({name}) did not keep the password.", name=name),
            phrase("Choose another one, or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    return name


def forget_password(server: str, user: str) -> bool:
    """Delete a password; False when there was none. Raises UsageError when it may still be there."""
    keyring = _needed()
    try:
        if keyring.get_password(_service(server), user) is None:
            return False
        keyring.delete_password(_service(server), user)
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise _unusable(error) from None
    return True


def _service(server: str) -> str:
    return f"bulk-remove {server}"


def _loaded() -> "ModuleType | None":
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        import keyring.errors  # noqa: PLC0415 - likewise

        keyring.get_keyring()  # chooses the backend, which may not be there
    except ModuleNotFoundError as error:
        if error.name == "keyring":
            return None
        raise _unusable(error) from None
    except (ImportError, AttributeError, ValueError, RuntimeError, OSError) as error:
        raise _unusable(error) from None
    return keyring


def _needed() -> "ModuleType":
    keyring = _loaded()
    if keyring is None:
        raise UsageError(
            "The system keyring needs the package keyring, which is not installed.",
            phrase("Install it with pip install 'bulk-remove[keyring]', or {elsewhere}", elsewhere=_ELSEWHERE),
        )
    return keyring


def _unusable(error: Exception) -> UsageError:
    # Its kind alone: what a backend says may hold what it was given.
    return UsageError(
        phrase("The system keyring cannot be used ({kind}).", kind=type(error).__name__),
        phrase("Unlock it or install one, or {elsewhere}", elsewhere=_ELSEWHERE),
    )
