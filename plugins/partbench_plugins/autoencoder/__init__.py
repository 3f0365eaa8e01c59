"""Explainer auto-encoders: interpretable filters that rebuild the features of a performer's upper layers."""
