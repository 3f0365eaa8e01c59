"""What is said of a MATLAB file that is not what it should be."""

from __future__ import annotations


class Refused(ValueError):
    """A file is not what it should be; the text goes on where the file's name ends: "has no truth(i).obj"."""
