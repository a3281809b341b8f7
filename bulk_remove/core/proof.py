"""The campaign's own count, before and after, beside what the replies said was removed."""

from dataclasses import dataclass

from bulk_remove.language import Phrase, ours, phrase


@dataclass(frozen=True, slots=True)
class Proof:
    """What a campaign held before the run's first request and after its last, and what this run removed of it.

    `before` and `after` are None where the server was not asked or did not tell; `note` then says why. `removed`
    counts the different record ids that the replies named, `without_id` the records that came without one; it may be
    more if `at_least`, for a request that brought no verdict may have removed some.
    """

    campaign: str
    before: int | None
    after: int | None
    removed: int
    without_id: int
    note: str
    at_least: bool = False

    @property
    def unexplained(self) -> int | None:
        """By how many records more than were removed the campaign has shrunk; None where that is not known."""
        if self.before is None or self.after is None:
            return None
        return self.before - self.after - self.removed - self.without_id

    def sentence(self) -> str:
        """Say what the counts amount to, and what a difference may mean."""
        held = phrase(
            "Campaign {campaign}: {before} records before, {after} after",
            campaign=self.campaign,
            before=_count(self.before),
            after=_count(self.after),
        )
        ids = phrase(" and {without_id:,} without an id", without_id=self.without_id) if self.without_id else ""
        removed = phrase(
            "at least {removed:,} different records{ids} were removed by this run"
            if self.at_least
            else "{removed:,} different records{ids} were removed by this run",
            removed=self.removed,
            ids=ids,
        )
        if self.unexplained is None:
            note = phrase(" {note}", note=ours(self.note)) if self.note else ""
            return phrase("{held}; {removed}.{note}", held=held, removed=removed, note=note)
        if not self.unexplained:
            return phrase("{held}; {removed}: the counts agree.", held=held, removed=removed)
        return phrase(self._difference(), held=held, removed=removed, count=abs(self.unexplained))

    def _difference(self) -> str:
        if (self.unexplained or 0) < 0:
            return (
                "{held}; {removed}. {count:,} fewer are gone than that: others added records at the same time, "
                "or the server counts with a delay."
            )
        if self.at_least:
            return (
                "{held}; {removed}. {count:,} more are gone than that: a request that brought no verdict removed them, "
                "or others did at the same time, or the server counts with a delay."
            )
        return (
            "{held}; {removed}. {count:,} more are gone than that: others removed records at the same time, "
            "or the server counts with a delay."
        )


def _count(records: int | None) -> Phrase:
    return phrase("unknown") if records is None else phrase("{records:,}", records=records)
