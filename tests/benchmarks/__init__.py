"""Measurements of the whole job against what its libraries take alone; run by hand, not by pytest."""
