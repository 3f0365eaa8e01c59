"""Explainers that learn a few x-features from the first fully-connected layer: srae, and the baselines nn, sae, cae."""
