"""The workers: pace, send, retry, ask again later.

`pool` carries each chunk to an answer. `gate` holds requests back, and states as protocols what the pool needs from
outside. `books` decides which chunk is next and writes down what follows from an answer. `client` speaks HTTP.
"""

from bulk_remove.sending.books import PoolSettings
from bulk_remove.sending.gate import Outside
from bulk_remove.sending.pool import Pool

__all__ = ["Outside", "Pool", "PoolSettings"]
