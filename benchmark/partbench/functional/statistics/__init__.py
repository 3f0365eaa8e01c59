"""Statistics without torch: resampling, entropy, classification."""

from partbench.functional.statistics.classification import agreement, best_threshold, hits
from partbench.functional.statistics.entropy import entropy
from partbench.functional.statistics.resampling import bootstrap, interval, resampling_weights

__all__ = ["agreement", "best_threshold", "bootstrap", "entropy", "hits", "interval", "resampling_weights"]
