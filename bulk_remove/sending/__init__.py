"""Sends requests: keeps the pace, retries, and sends numbers again later.

`pool` has the workers, which bring each chunk to an answer. `gate` makes requests wait, and defines as protocols what
the pool needs from outside. `books` chooses the next chunk and writes the results of an answer. `client` does the HTTP.
"""

from bulk_remove.sending.books import PoolSettings
from bulk_remove.sending.gate import Outside
from bulk_remove.sending.pool import Pool

__all__ = ["Outside", "Pool", "PoolSettings"]
