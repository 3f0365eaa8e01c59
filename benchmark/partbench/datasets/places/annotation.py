"""Annotations of ADE20K: the code of each pixel, and which object a code stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from partbench import InputError
from partbench.datasets.photograph import MOST_PIXELS
from partbench.datasets.text_table import AGAIN, json_of, text_of

CODE = "latin-1"  # names that annotators typed are in several encodings; those of WordNet are ASCII
MOST_SHOWN = 60  # characters of a file's text in a message


@dataclass(frozen=True)
class Regions:
    """The code (H, W) of each pixel, and the label of each code, such as "floor, flooring".

    Codes without a label stand for pixels that show no labelled object.
    """

    codes: Int[ndarray, "H W"]
    labels: Mapping[int, str]


def decode_codes(path: Path, modes: Sequence[str]) -> UInt8[ndarray, "..."]:
    """The levels of an image that codes something, as they are in the file: (H, W), or (H, W, 3) for "RGB".

    Raises InputError for a file that is missing, broken, too large, or of a mode (of Pillow) that is not among `modes`.
    """
    from PIL import Image

    if not path.is_file():
        raise InputError(f"{path} is gone since the dataset was opened; {AGAIN}")
    try:
        with Image.open(path, formats=("PNG",)) as image:
            mode, pixels = image.mode, image.width * image.height
            codes = np.array(image) if mode in modes and pixels <= MOST_PIXELS else np.zeros((0, 0), np.uint8)
    except Exception as error:  # damaged files surface as exceptions of many kinds
        raise InputError(f"cannot decode {path} ({path.stat().st_size} bytes); {AGAIN}") from error
    if mode not in modes:
        raise InputError(f"{path} is an image of mode {mode}, expected {' or '.join(modes)}, 8 bits each; {AGAIN}")
    if not codes.size:
        raise InputError(f"{path} declares more than {MOST_PIXELS // 10**6} megapixels; {AGAIN}")
    return codes


def labels_of_json(path: Path) -> dict[int, str]:
    """The label of each class of NAME.json."""
    content = json_of(path, CODE)
    annotation = content.get("annotation") if isinstance(content, dict) else None
    entries = annotation.get("object") if isinstance(annotation, dict) else None
    if isinstance(entries, dict):  # of a single object
        entries = [entries]
    if not isinstance(entries, list):
        raise InputError(f"{path} has no list annotation.object; {AGAIN}")
    pairs = [_of_entry(path, i, entry) for i, entry in enumerate(entries, 1)]
    return {number: label for number, label, is_part in pairs if not is_part}


def _of_entry(path: Path, place: int, entry: Any) -> tuple[int, str, bool]:
    """Class and label of an object of NAME.json, and whether it is a part of another."""
    parts = entry.get("parts") if isinstance(entry, dict) else None
    level = parts.get("part_level") if isinstance(parts, dict) else None
    number, label = (entry.get("name_ndx"), entry.get("name")) if isinstance(entry, dict) else (None, None)
    if type(level) is not int or type(number) is not int or not isinstance(label, str) or not label.strip():
        found = f"{entry!r:.{MOST_SHOWN}}"
        raise InputError(f"{path} object {place}: {found}, expected name, name_ndx and parts.part_level; {AGAIN}")
    return number, label.strip(), level > 0


def labels_of_text(path: Path) -> dict[int, str]:
    """The label of each instance of NAME_atr.txt; parts have numbers of their own and are left out."""
    labels = {}
    for i, line in enumerate(text_of(path, CODE).split("\n"), 1):
        number, level, _, label, *rest = [cell.strip() for cell in line.split("#", 5)] + [""] * 4
        whole = number.isascii() and number.isdecimal() and len(number) < 6 and level in tuple("0123456789")
        if not whole or not label or len(rest) < 5:
            expected = 'number # level of part # occluded # name # name as typed # "attributes"'
            raise InputError(f"{path} line {i}: {line[:MOST_SHOWN]!r}, expected {expected}; {AGAIN}")
        if level == "0":
            labels[int(number)] = label
    return labels
