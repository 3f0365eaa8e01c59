"""Floors: explainers that see nothing of what the network makes of an image. Scores are evidence if better than theirs.

docs/controls.md says which floor has which metric.
"""
