"""First-party explainers: one file each, found by walking this package."""
