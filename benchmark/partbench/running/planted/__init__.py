"""Planted runs: explanations made from the truth, cheats, and networks with random weights, scored like any cell.

They tell what a metric is worth (`bench metric-card`). None of them is a plugin: plugins never see the truth.
"""
