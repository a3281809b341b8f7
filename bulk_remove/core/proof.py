"""The campaign's own count, before and after, beside what the replies said was removed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """What a campaign held before the run's first request and after its last, and what this run removed of it.

    `before` and `after` are None where the server was not asked or did not tell; `note` then says why. `removed`
    counts the different record ids that the replies named, `without_id` the records that came without one.
    """

    campaign: str
    before: int | None
    after: int | None
    removed: int
    without_id: int
    note: str

    @property
    def unexplained(self) -> int | None:
        """By how many records more than were removed the campaign has shrunk; None where that is not known."""
        if self.before is None or self.after is None:
            return None
        return self.before - self.after - self.removed - self.without_id

    def sentence(self) -> str:
        """Say what the counts amount to, and what a difference may mean."""
        held = f"Campaign {self.campaign}: {_count(self.before)} records before, {_count(self.after)} after"
        ids = f" and {self.without_id:,} without an id" if self.without_id else ""
        removed = f"{self.removed:,} different records{ids} were removed by this run"
        if self.unexplained is None:
            return f"{held}; {removed}. {self.note}".rstrip()
        if not self.unexplained:
            return f"{held}; {removed}: the counts agree."
        more = "more" if self.unexplained > 0 else "fewer"
        return (
            f"{held}; {removed}. {abs(self.unexplained):,} {more} are gone than that: {_reason(self.unexplained)}, "
            "or the server counts with a delay."
        )


def _reason(unexplained: int) -> str:
    if unexplained > 0:
        return "others removed records at the same time, or a lost request did"
    return "others added records at the same time"


def _count(records: int | None) -> str:
    return "unknown" if records is None else f"{records:,}"
