"""Planted runs: explanations made from the truth, cheats, and networks with random weights, scored like any cell.

They tell what a metric is worth (`bench metric-card`). A plugin cannot see the truth, so that none of them is one.
"""
