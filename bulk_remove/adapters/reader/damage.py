"""The sentences for workbooks that cannot be read, and calamine's failures turned into them."""

from collections.abc import Iterator
from contextlib import contextmanager

from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase

_PANICS = "pyo3_runtime"
"""Where PanicException lives: a bug in calamine's Rust code that a damaged file has touched. It is no Exception."""


def damaged(path: str) -> InputError:
    """Return the error of a file whose content is not whole."""
    return InputError(
        phrase("{path} is damaged, or not a workbook.", path=path),
        "Check that it was copied or downloaded whole; else open it in Excel and save it again as .xlsx.",
    )


def protected(path: str) -> InputError:
    """Return the error of a workbook that only a password opens."""
    return InputError(
        phrase("{path} is protected with a password.", path=path),
        "Open it in the program that wrote it and save it without a password; in Excel, File > Info > Protect.",
    )


def too_large(path: str, what: str) -> InputError:
    """Return the error of a workbook that would take more memory than a list of numbers ever needs."""
    return InputError(
        phrase("{path} {what}.", path=path, what=ours(what)),
        "Delete what is not needed, or save the sheet with the numbers as CSV.",
    )


@contextmanager
def failures_told(path: str) -> Iterator[None]:
    """Turn what calamine raises for a workbook that it cannot read into InputError."""
    import python_calamine as calamine  # noqa: PLC0415 - only reading a workbook should pay for it

    try:
        yield
    except calamine.PasswordError:
        raise protected(path) from None
    except (calamine.CalamineError, OverflowError, UnicodeError):
        raise damaged(path) from None
    except OSError as error:
        if error.errno is not None:  # the disk's own; where a part ends too early, calamine gives no number
            raise
        raise damaged(path) from None
    except BaseException as error:
        if type(error).__module__ != _PANICS:
            raise
        raise damaged(path) from None
