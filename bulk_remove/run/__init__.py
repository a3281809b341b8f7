"""The story of a run, top-down: plan, approve, send, report.

`prepare` reads the input into a ledger and makes the plan; `preflight` asks the server what can be asked without
removing anything; `carry_out` sends an approved plan; `finish` writes the report and says what the run amounts to.
"""
