"""The additive explainer: a logit as a sum of shares of concepts, weighted anew for every image."""
