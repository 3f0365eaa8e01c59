"""Pictures of explanations; `gallery` draws all kinds that apply to an explainer."""
