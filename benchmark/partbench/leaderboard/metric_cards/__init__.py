"""Metric cards: what each metric is worth on each dataset, a function of results and planted runs alone."""
