"""Interpretable CNNs: the explainer `interp_cnn`, and the ordinary network of equal depth that `top_conv` scores."""
