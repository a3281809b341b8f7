"""What has been done so far, counted only after it is on disk."""

from collections import Counter
from collections.abc import Mapping

from bulk_remove.core.alike import Alike
from bulk_remove.core.model import NumberState
from bulk_remove.core.progress import Snapshot
from bulk_remove.core.replies import Fault


class Tally:
    """The running counts of this session; `phases` says where the numbers stand at its beginning."""

    def __init__(self, phases: Mapping[str, int]) -> None:
        self._phases: Counter[str] = Counter(phases)
        self._faults: Counter[str] = Counter()
        self._requests = 0
        self._removed = 0
        self._strangers = 0
        self._waiting = 0

    def waits(self, numbers: int) -> None:
        """Count numbers that wait from an earlier session."""
        self._waiting += numbers

    def request(self) -> None:
        """Count a request that left."""
        self._requests += 1

    def moved(self, before: Alike[NumberState], after: Alike[NumberState], waiting: int) -> None:
        """Count numbers that moved on; `waiting` is how many more wait to be asked for again (may be negative)."""
        for states, sign in ((before, -1), (after, 1)):
            for state, count in states.counted():
                self._phases[state.phase] += sign * count
                self._removed += sign * count * state.removed
        self._waiting += waiting

    def fault(self, fault: Fault) -> None:
        """Count a request without verdicts."""
        self._faults[fault.kind] += 1

    def strangers(self, count: int) -> None:
        """Count numbers that a reply spoke of unasked."""
        self._strangers += count

    def snapshot(self, rate: float) -> Snapshot:
        """Return the counts of this moment; `rate` is how many requests a second may be sent."""
        phases = {phase: count for phase, count in self._phases.items() if count > 0}
        return Snapshot(
            phases,
            self._requests,
            self._removed,
            self._strangers,
            dict(self._faults),
            rate,
            self._waiting,
        )
