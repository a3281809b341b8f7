"""The samples of `sample_data`: what stands in each, and what must become of each row."""
