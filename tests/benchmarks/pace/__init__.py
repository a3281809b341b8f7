"""Worlds with hidden limits, and the rules that have to find them."""
