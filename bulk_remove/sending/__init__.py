"""The workers: pace, send, retry, ask again later.

`ports` states what the pool needs from outside, `feeder` decides which chunk is next, `gate` keeps the pace,
`pool` carries each chunk
to an answer, `bookkeeper` writes down what follows from it.
"""

from bulk_remove.sending.books import PoolSettings
from bulk_remove.sending.gate import Outside
from bulk_remove.sending.pool import Pool

__all__ = ["Outside", "Pool", "PoolSettings"]
