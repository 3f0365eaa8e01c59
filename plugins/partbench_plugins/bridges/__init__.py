"""Other people's libraries of explainers and metrics: Captum, pytorch-grad-cam, Quantus and zennit."""
