"""Catalogues of translations, as gettext has them: `locale/LANGUAGE/LC_MESSAGES/bulk_remove.mo` in the package.

The `.po` beside each is what people edit; it is compiled by `make translations`.
"""

import gettext
import os
from pathlib import Path

from bulk_remove.language import ENGLISH, Language

DOMAIN = "bulk_remove"
FOLDER = Path(__file__).parent.parent / "locale"

_FIGURES = {"pl": ("\u00a0", ",")}
"""How figures are written: between groups of three digits, and before decimals (CLDR)."""

LANGUAGES = (ENGLISH.code, *_FIGURES)


def load_language(code: str) -> Language:
    """Return one of LANGUAGES."""
    if code == ENGLISH.code:
        return ENGLISH
    catalogue = gettext.translation(DOMAIN, FOLDER, [code])
    return Language(code, catalogue.gettext, catalogue.ngettext, *_FIGURES[code])


def set_for_libraries(code: str) -> None:
    """Have libraries that translate by gettext, as click does, take what they say from our catalogue, too."""
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = code  # where gettext looks first, and the only way to tell it
