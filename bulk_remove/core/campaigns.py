"""What a campaign's identifier is: five letters or digits, as Thulium documents it. Zeros in front belong to it."""

import re
from collections.abc import Collection

from bulk_remove.core.columns import fold

_CAMPAIGN = re.compile(r"[0-9A-Za-z]{5}")
_LENGTH = 5
_BESIDE = "id|nr|no|num|numer|number|kod|code|thulium"
_NAME = re.compile(f"(?:{_BESIDE})*(?:kampani[aei]|campaigns?|kampagne|outbounds?)+(?:{_BESIDE})*")


def is_campaign(text: str) -> bool:
    """Tell whether the text is a campaign's identifier, letter for letter."""
    return bool(_CAMPAIGN.fullmatch(text))


def read_campaign(cell: str) -> tuple[str, str]:
    """Return the campaign's identifier in a cell, or what is wrong with it; exactly one is non-empty.

    Never a guess: a spreadsheet makes `1` of `00001`, and nobody can tell that from another damage. The sentence has
    no digit.
    """
    text = cell.strip().removeprefix("'").strip()  # a spreadsheet's mark of text
    if not text:
        return "", "No campaign in the row."
    return (text, "") if is_campaign(text) else ("", "The campaign is not five letters or digits.")


def names_campaigns(name: str) -> bool:
    """Tell whether a column of this name holds the campaign of each row."""
    return bool(_NAME.fullmatch(fold(name)))


def other_campaigns(cells: Collection[str], campaign: str) -> list[str]:
    """Return those cells of a column of campaigns that name another one than `campaign`, sorted.

    A spreadsheet makes `2` of `00002`: such cells count where the same column names a campaign in full, or `campaign`.
    Five letters may be a word, and count only where the campaign has no digit either.
    """
    texts = {cell.strip().removeprefix("'").strip() for cell in cells}
    letters = campaign.isalpha()
    whole = {text for text in texts if is_campaign(text) and (letters or not text.isalpha())}
    short = {text for text in texts if text.isascii() and text.isdigit() and int(text) > 0 and len(text) < _LENGTH}
    if not whole and campaign not in {text.zfill(_LENGTH) for text in short}:
        return []
    return sorted(text for text in whole | short if text.zfill(_LENGTH) != campaign)
