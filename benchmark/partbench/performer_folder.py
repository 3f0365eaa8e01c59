"""The files that performers are made of beside code: their names in a folder of `bench performer train`, and limits."""

from __future__ import annotations

DESCRIPTION, WEIGHTS, CODE = "performer.toml", "weights.safetensors", "performer.py"
MOST_ROLES = 100_000  # bytes of a file of roles
