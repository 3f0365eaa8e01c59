"""Leaderboards: a function of the results alone. No torch, no training, no dates."""
