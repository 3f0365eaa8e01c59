"""Building blocks shared by performers, explainers and metrics."""
