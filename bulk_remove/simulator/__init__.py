"""A stand-in for the Thulium API: campaigns, calls that end, faults on demand, and an audit of what it really did.

It serves rehearsals, the demo, benchmarks and end-to-end tests. It shares no code with what it is a witness
against: only aiohttp, orjson and the standard library are imported here.
"""
