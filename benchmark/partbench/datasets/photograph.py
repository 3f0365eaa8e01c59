"""Image files: whether a JPEG is whole, pixels, crops at a fixed size, and a bounded memory of crops."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import InputError

START, END = b"\xff\xd8", b"\xff\xd9"
LARGEST_BROKEN_SHARE = 0.01
TAIL = 64  # some cameras write a few bytes after the end marker

FORMATS = ("JPEG", "PNG", "BMP")
MOST_PIXELS = 80_000_000  # a damaged header, or a small file made for it, may declare 4 billion

Corners = tuple[float, float, float, float]
Edges = tuple[int, int, int, int]  # left, top, right, bottom in px: they span [left, right) and [top, bottom)


def is_whole(path: Path) -> bool:
    """Whether a file begins and ends like a JPEG: finds truncated copies without decoding.

    The end marker cannot occur within coded pixels, where 0xFF is always followed by 0 or a restart marker.
    """
    with open(path, "rb") as file:
        start = file.read(len(START))
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return start == START and END in file.read()


def whole_ones(paths: Sequence[Path], dataset: str) -> Bool[ndarray, "n"]:
    """Which of these JPEGs are not truncated; warns of the others. Raises InputError if they are over 1 %."""
    whole = np.array([is_whole(path) for path in paths], bool)
    if whole.all():
        return whole
    broken = np.flatnonzero(~whole)
    text = f"{len(broken)} of {len(paths)} photos are truncated or no JPEG, first {paths[broken[0]]}"
    if len(broken) > LARGEST_BROKEN_SHARE * len(paths):
        raise InputError(f"{text}; copy the dataset again")
    warnings.warn(f"{dataset}: skipped photos: {text}", stacklevel=2)
    return whole


def decode(path: Path) -> UInt8[ndarray, "H W 3"]:
    """The pixels, RGB. An EXIF orientation is ignored, as MATLAB ignored it when the photos were annotated.

    Raises InputError if the file is missing, cannot be decoded, or says that it has more than 80 megapixels.
    """
    import cv2

    if not path.is_file():
        raise InputError(f"{path} is gone since the dataset was opened; copy it again")
    content = np.fromfile(path, np.uint8)
    pixels = _declared_pixels(content)
    if pixels > MOST_PIXELS:
        raise InputError(f"{path} declares more than {MOST_PIXELS // 10**6} megapixels; copy it again")
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if pixels else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"cannot decode {path} ({len(content)} bytes); copy it again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _declared_pixels(content: UInt8[ndarray, "n"]) -> float:
    """Width times height from the header of an image; 0 if it is not one of `FORMATS` or its header is damaged."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content.tobytes()), formats=FORMATS) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return np.inf
    except Exception:  # damaged headers surface as exceptions of many kinds
        return 0


def crop(image: UInt8[ndarray, "H W 3"], corners: Corners | None, size: int) -> UInt8[ndarray, "size size 3"]:
    """The part of the image within xmin, ymin, xmax, ymax, stretched to size x size; None: the whole image.

    Corners count pixels from 1, both included, as in MATLAB; what lies outside the image is cut off. Pixels are
    averaged by area (INTER_AREA) where both sides shrink, else interpolated bilinearly (INTER_LINEAR). Raises
    ValueError if nothing is left.
    """
    import cv2

    height, width = image.shape[:2]
    left, top, right, bottom = (int(np.floor(c + 0.5)) for c in corners or (1, 1, width, height))
    cut = image[max(top, 1) - 1 : max(bottom, 0), max(left, 1) - 1 : max(right, 0)]
    if not cut.size:
        raise ValueError(f"box {left} {top} {right} {bottom} is outside the image of {width} x {height} px")
    method = cv2.INTER_AREA if min(cut.shape[:2]) >= size else cv2.INTER_LINEAR
    return cv2.resize(cut, (size, size), interpolation=method)


def crop_to_edges(image: UInt8[ndarray, "H W 3"], edges: Edges, size: int) -> UInt8[ndarray, "size size 3"]:
    """`crop` to edges x0 y0 x1 y1 in px (docs/coordinates.md): pixel i spans [i, i + 1)."""
    left, top, right, bottom = edges
    return crop(image, (left + 1, top + 1, right, bottom), size)


def scaled(
    places: Float[ndarray, "n l 2"], frames: Float[ndarray, "n 1 2 2"], size: int
) -> Float[Tensor, "n l 2"]:  # fmt: skip
    """x y in px of photographs as x y in px of the images that their frames (low corner, high corner) are cut to."""
    low, high = frames[:, :, 0], frames[:, :, 1]
    return torch.from_numpy((places - low) * size / (high - low)).float()


def nearest(values: Shaped[ndarray, "H W *c"], size: int) -> Shaped[ndarray, "size size *c"]:
    """The values of an image that is stretched to size x size: those of the pixel that each centre falls on."""
    rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in values.shape[:2])
    return values[np.ix_(rows, columns)]


def as_pixels(crops: Sequence[UInt8[ndarray, "size size 3"]], size: int) -> Float[Tensor, "n 3 size size"]:
    """Crops, of which there may be none, as the pixels of a batch: RGB in [0, 1].

    They lie in memory with the channels last, where convolutions take two thirds of the time that they take with the
    channels first; the last bits of what a network makes of them depend on it.
    """
    stacked = np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


class CropMemory:
    """Remembers crops until `limit` bytes are full, then keeps those it has.

    Nothing is evicted: passes over a split repeat in the same order, where dropping the oldest would lose every crop
    just before it is needed again. Several threads may ask at once.
    """

    def __init__(self, limit: int = 400_000_000) -> None:
        self.limit, self.bytes = limit, 0
        self._lock = threading.Lock()
        self._crops: dict[str, UInt8[ndarray, "size size 3"]] = {}

    def get(self, key: str, make: Callable[[], UInt8[ndarray, "size size 3"]]) -> UInt8[ndarray, "size size 3"]:
        """The crop of that key, made if it is not remembered."""
        if key in self._crops:
            return self._crops[key]
        made = make()
        with self._lock:
            if key not in self._crops and self.bytes + made.nbytes <= self.limit:
                self._crops[key] = made
                self.bytes += made.nbytes
        return made
