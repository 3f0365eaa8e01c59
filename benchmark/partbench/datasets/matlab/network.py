"""Networks of MatConvNet, as their published .mat files hold them (imagenet-vgg-m.mat).

A file has a cell array `layers` of structs: name, type, for convolutions `weights` {filters (h, w, in, out), biases}
(older files: `filters`, `biases`), pad [top bottom left right] and stride, for normalisation `param` [size kappa alpha
beta]. The image to subtract is `meta.normalization.averageImage` (older files: `normalization.averageImage`), of RGB in
[0, 255].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from partbench.datasets.matlab.refusal import Refused

MOST = 200_000_000  # weights of a layer; the largest of VGG-16 has 103 million


@dataclass(frozen=True)
class MatConvNet:
    """The variables of a file, as scipy gives them. Raises Refused where they are no network."""

    variables: dict[str, Any]

    def layer(self, name: str) -> list[Float[ndarray, "r c"]]:
        """filters (h * w * in, out), their shape (1, 4), biases (1, out), pad (1, 4), stride (1, 2), param (1, p).

        What a layer does not have is (0, 0).
        """
        layers = self._layers()
        if name not in layers:
            raise Refused(f"has no layer '{name}'; it has {', '.join(layers)[:300]}")
        layer = layers[name]
        weights = _field(layer, "weights")
        pair = weights.ravel() if weights is not None else (_field(layer, "filters"), _field(layer, "biases"))
        filters, biases = (pair[0], pair[1]) if len(pair) == 2 else (None, None)
        found = [_numbers(_field(layer, key)) for key in ("pad", "stride", "param")]
        if filters is None or biases is None:
            return [np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)), *found]
        shape = (filters.shape + (1,) * 4)[:4]
        if math.prod(shape) > MOST or filters.dtype.kind != "f":
            raise Refused(f"has {filters.dtype} filters of shape {shape} in layer '{name}', expected numbers")
        plane = np.ascontiguousarray(filters, np.float32).reshape(-1, shape[3])
        return [plane, np.array([shape], np.float32), _numbers(biases), *found]

    def average_image(self) -> list[Float[ndarray, "r c"]]:
        """(h * w, 3) in RGB of [0, 255], row by row, and (1, 2) its height and width: 1 and 1 for one colour."""
        top = self.variables.get("meta", self.variables.get("normalization"))
        normalization = _field(top, "normalization") if "meta" in self.variables else top
        image = _field(normalization, "averageImage")
        if image is None or image.dtype.kind not in "fu" or image.size not in (3, *_whole_image(image)):
            raise Refused("has no averageImage of three colours in meta.normalization")
        image = image.reshape(1, 1, 3) if image.size == 3 else image
        return [np.asarray(image, np.float32).reshape(-1, 3), np.array([image.shape[:2]], np.float32)]

    def _layers(self) -> dict[str, Any]:
        cells = self.variables.get("layers")
        if cells is None or cells.dtype != object:
            raise Refused("has no cell array of layers; expected a network of MatConvNet")
        return {str(np.ravel(_field(cell, "name"))[0]): cell for cell in cells.ravel()}


def _whole_image(image: ndarray) -> tuple[int, ...]:
    return (image.size,) if image.ndim == 3 and image.shape[2] == 3 and image.size < 1_000_000 else ()


def _field(struct: Any, name: str) -> Any:
    """A field of a struct, None where there is none."""
    if struct is None or getattr(struct, "dtype", None) is None or name not in (struct.dtype.names or ()):
        return None
    return struct[name].ravel()[0] if struct.size else None


def _numbers(value: Any) -> Float[ndarray, "r c"]:
    if value is None or not value.size or value.dtype.kind not in "fiu":
        return np.zeros((0, 0), np.float32)
    return np.asarray(value, np.float32).reshape(1, -1)
