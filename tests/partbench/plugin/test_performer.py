"""The base class of performer plugins."""

from __future__ import annotations

import pytest
import torch

from partbench import Dataset, PerformerPlugin


def test_a_performer_plugin_must_open_one() -> None:
    with pytest.raises(NotImplementedError):
        PerformerPlugin.open(Dataset(None, 8), torch.device("cpu"))
