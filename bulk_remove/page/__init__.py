"""The local page: a file, a plan, a question, the run and its result in a browser on this machine."""
