"""What a campaign's identifier is: five letters or digits, as Thulium documents it. Zeros in front belong to it."""

import re

_CAMPAIGN = re.compile(r"[0-9A-Za-z]{5}")


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
