from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from partbench.datasets.matlab.encodings import MatContent
from partbench.datasets.matlab.refusal import Refused


def struct(**fields: object) -> np.ndarray:
    """A struct of one element, whose fields are arrays."""
    row = np.empty((1, 1), dtype=[(name, object) for name in fields])
    row[0, 0] = tuple(fields.values())
    return row


def cell(*values: object) -> np.ndarray:
    found = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        found[0, place] = value
    return found


FILTERS = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
BIASES = np.arange(5, dtype=np.float32)[None]
IMAGE = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)


def written(path: Path, old: bool) -> MatContent:
    """A network as MatConvNet writes it: since its version 1.0-beta13, or before."""
    weights = {"filters": FILTERS, "biases": BIASES} if old else {"weights": cell(FILTERS, BIASES)}
    convolution = struct(
        name="conv1", type="conv", pad=np.array([[0.0, 1, 0, 1]]), stride=np.array([[2.0, 2]]), **weights
    )
    norm = struct(name="norm1", type="lrn", param=np.array([[5, 2, 1e-4, 0.75]]))
    normalization = struct(averageImage=IMAGE, imageSize=np.array([[2.0, 4, 3]]))
    top = {"normalization": normalization} if old else {"meta": struct(normalization=normalization)}
    savemat(path, {"layers": cell(convolution, norm), **top})
    return MatContent(path.read_bytes())


@pytest.mark.parametrize("old", [False, True])
def test_layers_and_the_average_image_are_read_from_files_of_both_ages(tmp_path: Path, old: bool) -> None:
    content = written(tmp_path / "net.mat", old)
    filters, shape, biases, pad, stride, param = content.layer("conv1")
    assert shape.tolist() == [[2, 3, 4, 5]]
    assert np.array_equal(filters.reshape(FILTERS.shape), FILTERS)
    assert filters.dtype == np.float32
    assert np.array_equal(biases, BIASES)
    assert (pad.tolist(), stride.tolist(), param.size) == ([[0, 1, 0, 1]], [[2, 2]], 0)
    assert content.layer("norm1")[5].ravel().tolist() == pytest.approx([5, 2, 1e-4, 0.75])
    image, size = content.average_image()
    assert size.tolist() == [[2, 4]]
    assert np.array_equal(image.reshape(IMAGE.shape), IMAGE)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    content = written(tmp_path / "net.mat", old=False)
    with pytest.raises(Refused, match="has no layer 'conv9'; it has conv1, norm1"):
        content.layer("conv9")
    savemat(tmp_path / "other.mat", {"truth": np.zeros(3)})
    other = MatContent((tmp_path / "other.mat").read_bytes())
    with pytest.raises(Refused, match="expected a network of MatConvNet"):
        other.layer("conv1")
    with pytest.raises(Refused, match="has no averageImage"):
        other.average_image()
