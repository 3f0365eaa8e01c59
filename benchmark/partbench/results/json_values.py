"""Values of tables as JSON has them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def in_json(value: Any) -> Any:
    """The same value as plain data: a scalar of numpy is Python's; NaN and infinities, which JSON lacks, are None."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
