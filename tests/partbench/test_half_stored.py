"""Halves on disk pass for single precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from partbench import InputError
from partbench.half_stored import HalfStored, rounded, stored_precision

HALVES = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0)).half()


@pytest.mark.parametrize(
    "read",
    [
        lambda z: z[torch.tensor([4, 1])],
        lambda z: z[z[:, 0, 0, 0] > 0],
        lambda z: z.flatten(1)[2:4].double(),
        lambda z: torch.stack([part.sum((0, 2, 3)) for part in z.split(4)]),
        lambda z: z.relu().amax((2, 3)),
        lambda z: torch.cat([z, z]),
        lambda z: torch.nn.functional.conv2d(z, torch.ones(1, 3, 1, 1)),
        lambda z: z.to("cpu"),
        lambda z: sum(one.mean() for one in z),
    ],
)
def test_whatever_is_computed_is_computed_in_single_precision(read) -> None:
    found, expected = read(HalfStored.of(HALVES)), read(HALVES.float())
    assert type(found) is Tensor
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_shape_and_type_are_those_of_the_values() -> None:
    z = HalfStored.of(HALVES)
    assert (z.shape, z.dtype, z.ndim, len(z)) == ((6, 3, 2, 2), torch.float, 4, 6)
    assert z.flatten(1).numpy().dtype == "float32"


def test_slices_and_splits_are_not_copied() -> None:
    z = HalfStored.of(HALVES)
    for view in (z[2:4], z.split(2)[1], z.flatten(1)[2:]):
        assert view.data_ptr() == HALVES[2:].data_ptr()


def test_they_cannot_be_written_to() -> None:
    z = HalfStored.of(HALVES.clone())
    with pytest.raises(RuntimeError, match=r"zero_: .* cannot be written to"):
        z.zero_()
    with pytest.raises(RuntimeError, match="cannot be written to"):
        z[0] = 1


def test_a_value_too_large_for_half_precision_is_refused() -> None:
    with pytest.raises(InputError, match=r"activations of 7e\+04 are too large for float16; unset"):
        rounded(torch.tensor([1.0, -7e4]))


def test_another_precision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_ACTIVATIONS", "bfloat16")
    with pytest.raises(InputError, match="'bfloat16', expected float32 or float16"):
        stored_precision()
