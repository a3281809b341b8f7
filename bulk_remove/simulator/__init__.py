"""A stand-in for the Thulium API: campaigns, calls that end, faults on demand, and an audit of what it did.

It serves rehearsals, the demo, benchmarks and end-to-end tests. It shares no code with the program that it checks: only
aiohttp, orjson and the standard library are imported here.
"""
