"""The whole run in virtual time against a seeded world; `python -m tests.simulation --seeds 100000`."""
