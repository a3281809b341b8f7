"""What a ledger may be given, for Hypothesis."""

from collections.abc import Iterable

from hypothesis import strategies as st

from bulk_remove.core.lifecycle import EVER_US, SETTLED, Phase
from bulk_remove.core.model import NumberState

moments_s = st.sampled_from([0.0, 1_700_000_000.123456, 1_700_000_000.5])


def states_in(phases: Iterable[str]) -> st.SearchStrategy[NumberState]:
    """Return states of numbers in these phases."""
    return st.builds(
        NumberState,
        phase=st.sampled_from([str(phase) for phase in phases]),
        removed=st.integers(0, 2),
        record_ids=st.lists(st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3), max_size=3).map(tuple),
        attempts=st.integers(0, 5),
        busy_rounds=st.integers(0, 5),
        busy_since_s=moments_s,
        answered_at_s=moments_s,
        detail=st.sampled_from(["", "The server said: 'zażółć'"]) | st.text(max_size=5),
        doubt_us=st.sampled_from([0, 4711, EVER_US]),
        doubt_each_ns=st.sampled_from([0, 4711, 1000 * EVER_US]),
    )


number_states = states_in(Phase)
open_states = states_in(phase for phase in Phase if phase not in SETTLED)
