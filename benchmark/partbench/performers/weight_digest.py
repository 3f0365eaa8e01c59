"""The digest of weights, from which fingerprints of performers follow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def weight_digest(tensors: Mapping[str, Tensor], before: str = "") -> str:
    """SHA-256 of a text and, in their order, of the names, shapes, types and values of tensors."""
    found = hashlib.sha256(before.encode())
    for name, tensor in tensors.items():
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(data.numpy().data)
    return found.hexdigest()
