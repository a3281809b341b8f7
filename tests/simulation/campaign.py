"""The server's truth: a campaign's records, and the calls that begin and end on them."""

import random
from collections.abc import Iterable, Sequence

from tests.simulation.audit import Entries

_COUNTS, _WEIGHTS = (1, 2, 0), (0.75, 0.1, 0.15)
"""How many records a number has, and how often."""
_HELD, _HOW_OFTEN = ("as planned", "otherwise", "in two forms"), (0.5, 0.35, 0.15)
"""In which of its forms a number stands, where it may stand in several."""
_CALLS_BEGIN_WITHIN_S = 1200.0
_VANISH = 0.4
"""The share of records in calls that are gone after the last call: who was talking has removed them by hand."""


class Campaign:
    """Records by number, each in the forms in which it stands there; `forms` are those in which it may.

    `busy` is the share of records that calls are made to, `above` what all ids of records are greater than.
    """

    def __init__(self, forms: Iterable[Sequence[str]], dice: random.Random, busy: float, above: int) -> None:
        self._calls: dict[int, list[tuple[float, float]]] = {}
        self._vanishes_s: dict[int, float] = {}
        self._records: dict[str, list[int]] = {}
        self._bystanders: dict[str, list[int]] = {}
        next_id = above + dice.randint(1, 100_000)
        for number in (form for each in forms for form in _held(each, dice)):
            count = dice.choices(_COUNTS, _WEIGHTS)[0]
            self._records[number] = list(range(next_id, next_id + count))
            next_id += count + 1
            for record_id in self._records[number]:
                if dice.random() < busy:
                    self._calls[record_id] = list(_calls(dice))
                    if dice.random() < _VANISH:
                        self._vanishes_s[record_id] = self._calls[record_id][-1][1]

    def let_stand_by(self, numbers: Iterable[str]) -> None:
        """Take in records of numbers that are not in the input."""
        last_id = max((record_id for ids in self._records.values() for record_id in ids), default=0)
        self._bystanders = {number: [last_id + place] for place, number in enumerate(numbers, start=1)}

    def remove_bystander(self, number: str) -> list[int]:
        """Remove the records of a number that is not in the input."""
        return self._bystanders.pop(number, [])

    def records(self, number: str) -> list[int]:
        """Return the records that a number still has."""
        return list(self._records.get(number, ()))

    def listed(self) -> list[str]:
        """Return the number of each record, as a list of the records shows it."""
        return [number for number, records in self._records.items() for _ in records]

    def holds_none_of(self, numbers: Iterable[str]) -> None:
        """Take note that there are no records with these numbers, nor ever were."""
        for number in numbers:
            self._records.pop(number, None)

    def remove(self, number: str, now_s: float) -> tuple[Entries, list[int]]:
        """Remove what is in no call; return what there is to say, and the records removed."""
        records = [record_id for record_id in self.records(number) if not self._vanished(record_id, now_s)]
        self._records[number] = records
        if not records:
            return [{"http_status": 404, "status": "NOT_EXIST"}], []
        busy = [record_id for record_id in records if self._in_call(record_id, now_s)]
        removed = [record_id for record_id in records if record_id not in busy]
        self._records[number] = busy
        said: Entries = [
            {"http_status": 409, "record_id": record_id, "status": "CALL_IN_PROGRESS"} for record_id in busy
        ]
        said += [{"http_status": 200, "record_id": record_id, "status": "REMOVED"} for record_id in removed]
        return said, removed

    def end_calls(self) -> None:
        """Let all calls end, and no new ones begin."""
        self._calls.clear()

    def _vanished(self, record_id: int, now_s: float) -> bool:
        return self._vanishes_s.get(record_id, now_s) < now_s

    def _in_call(self, record_id: int, now_s: float) -> bool:
        return any(began_s <= now_s < ended_s for began_s, ended_s in self._calls.get(record_id, ()))


def _held(forms: Sequence[str], dice: random.Random) -> Sequence[str]:
    if len(forms) == 1:
        return forms
    match dice.choices(_HELD, _HOW_OFTEN)[0]:
        case "as planned":
            return forms[:1]
        case "otherwise":
            return [dice.choice(forms[1:])]
        case _:
            return dice.sample(forms, 2)


def _calls(dice: random.Random) -> Iterable[tuple[float, float]]:
    began_s = dice.choice((0.0, dice.uniform(0.0, _CALLS_BEGIN_WITHIN_S)))
    for _ in range(dice.choice((1, 1, 2, 3))):
        ended_s = began_s + dice.expovariate(1 / dice.choice((20.0, 200.0, 2000.0)))
        yield began_s, ended_s
        began_s = ended_s + dice.uniform(0.0, 300.0)
