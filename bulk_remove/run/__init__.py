"""A run from the top down: plan, approve, send, report.

`prepare` reads the input into a ledger and makes the plan. `preflight` asks the server questions that remove nothing.
`carry_out` in `job` sends an approved plan. `finish` writes the report and returns the result of the run.
"""
