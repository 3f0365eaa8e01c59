"""Which module calls a short form: classes belong to it, and its code is their version."""

from __future__ import annotations

import sys


def calling_module() -> str:
    """The name of the module, outside of this package, whose code calls."""
    frame = sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(__package__ or ""):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "__main__"))
