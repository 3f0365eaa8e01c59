from __future__ import annotations

import hashlib

import pytest
import torch

from partbench.performers.weight_digest import weight_digest

WEIGHTS = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(3)}


def test_it_is_the_hash_of_names_shapes_types_and_bytes_in_their_order() -> None:
    values = WEIGHTS["a"].numpy().tobytes(), WEIGHTS["b"].numpy().tobytes()
    stream = b"known" + b"a (1, 2) torch.float32" + values[0] + b"b () torch.int64" + values[1]
    assert weight_digest(WEIGHTS, "known") == hashlib.sha256(stream).hexdigest()


@pytest.mark.parametrize(
    "other",
    [{"c": WEIGHTS["a"]}, {"a": WEIGHTS["a"].T}, {"a": WEIGHTS["a"].double()}, {"a": WEIGHTS["a"].view(torch.int32)}],
)
def test_another_name_shape_or_type_is_another_digest(other: dict[str, torch.Tensor]) -> None:
    assert weight_digest(other) != weight_digest({"a": WEIGHTS["a"]})


def test_the_layout_in_memory_does_not_count() -> None:
    maps = torch.rand(2, 3, 4, 4)
    assert weight_digest({"a": maps}) == weight_digest({"a": maps.to(memory_format=torch.channels_last)})
