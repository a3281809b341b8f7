"""The real command, killed again and again; `make torture KILLS=1000`."""
