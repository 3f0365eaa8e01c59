"""Datasets: one a file, read in their official layout."""
