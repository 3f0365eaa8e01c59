"""MATLAB struct arrays, read alike from both encodings: v5 (scipy) and v7.3, which is HDF5 (h5py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from partbench.datasets.matlab.network import MatConvNet
from partbench.datasets.matlab.refusal import Refused

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
EMPTY: Float[ndarray, "0 0"] = np.zeros((0, 0))
MOST = 1_000_000  # elements of an array; those of an annotation have a few, a struct array one for each photo


Steps = Sequence[str | int]  # from a variable down: fields by name, elements of struct arrays by number from 0


class Encoding(Protocol):
    """The three steps by which a struct array is walked; a node is whatever the encoding's library hands out."""

    def column(self, variable: str, field: str) -> list[Any]: ...

    def child(self, node: Any, name: str) -> Any: ...

    def value(self, node: Any) -> ndarray: ...


@dataclass(frozen=True)
class MatContent:
    """The bytes of a .mat file, whose encoding is told by its signature.

    Raises Refused for content that is not as expected, and whatever scipy and h5py raise of damaged bytes.
    """

    content: bytes

    def values(self, variable: str, field: str) -> list[Float[ndarray, "r c"]]:
        """`variable(i).field` for every i, in MATLAB's shape; (0, 0) where empty; text is read as a number."""
        return [self._numbers(i, node) for i, node in enumerate(self._column(variable, field))]

    def nested(self, variable: str, path: str, names: Sequence[str]) -> list[Float[ndarray, "r c"]]:
        """`variable(i).a.b.name` for every i and, for each i, every name; `path` is "a/b".

        Of struct arrays on the way the first is read.
        """
        field, *inner = path.split("/")
        found = []
        for i, node in enumerate(self._column(variable, field)):
            for name in inner:
                node = self._encoding.child(node, name)
            found += [self._numbers(i, self._encoding.child(node, name)) for name in names]
        return found

    def layer(self, name: str) -> list[Float[ndarray, "r c"]]:
        """Of a layer of a MatConvNet network: filters, their shape, biases, pads, strides, parameters."""
        return MatConvNet(self._variables()).layer(name)

    def average_image(self) -> list[Float[ndarray, "r c"]]:
        """What a MatConvNet network subtracts of images: (h * w, 3), and (1, 2) its height and width."""
        return MatConvNet(self._variables()).average_image()

    def _variables(self) -> dict[str, Any]:
        return self._version5().variables

    def texts(self, path: Steps) -> list[str]:
        """The texts at a path, of every element of the struct arrays on the way that the path does not number."""
        return [self._text(path, node) for node in self._nodes(path)]

    def planes(self, path: Steps) -> list[UInt8[ndarray, "r c"]]:
        """The arrays at a path as 0 and 1, which tells zeros from other values."""
        return [self._mask(path, node) for node in self._nodes(path)]

    def _nodes(self, path: Steps) -> list[ndarray]:
        return self._version5().nodes(path)

    def _version5(self) -> Version5:
        if not isinstance(self._encoding, Version5):
            raise Refused("is a MATLAB v7.3 file, expected v5 as published")
        return self._encoding

    def _text(self, path: Steps, node: ndarray) -> str:
        if node.dtype.kind != "U" or node.size != 1:
            raise Refused(f"has {_shown(node)} as {_dotted(path)}, expected a text")
        return str(node.flat[0])

    def _mask(self, path: Steps, node: ndarray) -> UInt8[ndarray, "r c"]:
        if node.dtype.kind not in "buif" or node.ndim != 2:
            raise Refused(f"has {_shown(node)} as {_dotted(path)}, expected numbers of two axes")
        _check_size(node.shape)
        if not np.isfinite(node).all():
            raise Refused(f"has numbers that are not finite as {_dotted(path)}, expected 0 and 1")
        return (node != 0).astype(np.uint8)

    @cached_property
    def _encoding(self) -> Encoding:
        version = self.content[124:128]
        if any(self.content.startswith(HDF5_SIGNATURE, at) for at in (0, 512, 1024, 2048)) or version == b"\0\2IM":
            return Hdf5(self.content)
        if version in (b"\0\1IM", b"\1\0MI"):
            return Version5(self.content)
        raise Refused(f"is no MATLAB v5 or v7.3 file: it begins with {self.content[:10]!r}")

    def _column(self, variable: str, field: str) -> list[Any]:
        encoding = self._encoding
        try:
            return encoding.column(variable, field)
        except Refused:
            raise
        except (KeyError, ValueError) as error:  # scipy's records raise the one or the other
            raise Refused(f"has no {variable}(i).{field}") from error

    def _numbers(self, row: int, node: Any) -> Float[ndarray, "r c"]:
        value = self._encoding.value(node) if node is not None else EMPTY
        if value.dtype.kind != "U":
            return _plane(np.atleast_2d(value).astype(float) if value.size else EMPTY, row)
        text = "".join(value.ravel()).strip()
        try:
            return np.array([[float(text)]]) if text else EMPTY
        except ValueError:
            raise Refused(f"has {text!r:.60} in row {row + 1}, expected a number") from None


class Version5:
    """MATLAB v5: struct arrays are numpy record arrays of objects."""

    def __init__(self, content: bytes) -> None:
        from scipy.io import loadmat

        self.variables: dict[str, Any] = loadmat(BytesIO(content))

    def nodes(self, path: Steps) -> list[ndarray]:
        """What is at a path, of all elements of struct arrays on the way."""
        found = [self.variables[path[0]]] if path[0] in self.variables else []
        if not found:
            raise Refused(f"has no {path[0]}")
        for depth, step in enumerate(path[1:], 1):
            arrays = [_records(node, path[:depth]) for node in found]
            if isinstance(step, int):
                found = _element(arrays, step)
            else:
                found = [_field(record, step, path) for array in arrays for record in array]
        return [np.asarray(node) for node in found]

    def column(self, variable: str, field: str) -> list[Any]:
        rows = self.variables[variable]
        _check_size(rows.shape)
        return [row[field] for row in rows.ravel()]

    def child(self, node: Any, name: str) -> Any:
        return node.flat[0][name] if node is not None and node.size else None

    def value(self, node: Any) -> ndarray:
        _check_size(node.shape)
        return node


class Hdf5:
    """MATLAB v7.3: fields of a struct array are datasets of references; arrays are transposed, text is uint16.

    Works on h5py's low-level interface: these files hold thousands of tiny objects, and it reads them several times
    faster.
    """

    def __init__(self, content: bytes) -> None:
        import h5py

        self._h5 = h5py
        self._file = h5py.h5f.open_file_image(content)

    def column(self, variable: str, field: str) -> list[Any]:
        node = self._h5.h5o.open(self._file, f"{variable}/{field}".encode())
        return self._referenced(node) if self._refers(node) else [node]  # an array of one is stored without references

    def child(self, node: Any, name: str) -> Any:
        if node is not None and self._refers(node):
            node = self._referenced(node)[0]
        if isinstance(node, self._h5.h5g.GroupID):
            return self._h5.h5o.open(node, name.encode())
        return None  # an empty struct is stored as an empty double

    def value(self, node: Any) -> ndarray:
        h5 = self._h5
        if h5.h5a.exists(node, b"MATLAB_empty"):
            return EMPTY
        shape = node.shape
        _check_size(shape)
        double = node.get_type().equal(h5.h5t.NATIVE_DOUBLE)  # the common case: asking for node.dtype is slow
        array = np.empty(shape, float if double else node.dtype)
        node.read(h5.h5s.ALL, h5.h5s.ALL, array)
        if not double and h5.Dataset(node).attrs.get("MATLAB_class") == b"char":
            return np.array([chr(code) for code in array.ravel()])
        return array.T

    def _refers(self, node: Any) -> bool:
        return isinstance(node, self._h5.h5d.DatasetID) and self._h5.check_ref_dtype(node.dtype) is not None

    def _referenced(self, node: Any) -> list[Any]:
        _check_size(node.shape)
        return [self._h5.h5r.dereference(reference, self._file) for reference in self._h5.Dataset(node)[()].ravel()]


def _records(node: ndarray, path: Steps) -> ndarray:
    """The elements of a struct array; none of an empty array of any type, which is what MATLAB writes for none."""
    node = np.asarray(node)
    _check_size(node.shape)
    if node.size and not node.dtype.names:
        raise Refused(f"has {_shown(node)} as {_dotted(path)}, expected a struct")
    return node.ravel()


def _element(arrays: Sequence[ndarray], number: int) -> list[Any]:
    """The element of that number, counted from 0 over all arrays; none where they have fewer."""
    for array in arrays:
        if number < len(array):
            return [array[number]]
        number -= len(array)
    return []


def _field(record: Any, name: str, path: Steps) -> ndarray:
    if name not in record.dtype.names:
        raise Refused(f"has no {_dotted(path[: list(path).index(name) + 1])}")
    value: ndarray = record[name]
    return value


def _dotted(path: Steps) -> str:
    """A path as MATLAB writes it: anno.objects(2).class."""
    return "".join(f"({step + 1})" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _shown(node: ndarray) -> str:
    return f"an array of {' x '.join(map(str, node.shape))} ({node.dtype.kind})"


def _check_size(shape: Sequence[int]) -> None:
    """Before memory is taken for it: damaged headers declare arrays of any size."""
    if math.prod(shape) > MOST:
        raise Refused(f"holds an array of {' x '.join(map(str, shape))} elements, expected at most {MOST}")


def _plane(value: ndarray, row: int) -> Float[ndarray, "r c"]:
    if value.ndim != 2:
        raise Refused(f"has an array of {' x '.join(map(str, value.shape))} in row {row + 1}, expected two axes")
    return value
