"""`import torchvision` that also works where torchvision was built without its compiled operators.

torchvision registers shape functions for `torchvision::nms` and `torchvision::qnms` when it is imported. Beside a torch
it was not compiled for, those operators do not exist and the import itself fails. Its networks need neither of them.
"""

from __future__ import annotations

import sys
from types import ModuleType

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a Library takes its operators with it when it is collected


def torchvision() -> ModuleType:
    """torchvision, with its missing operators declared (schema only) where that is what stops the import.

    Calling a declared operator still fails, as it has no kernel. Raises ImportError where torchvision is not installed,
    and whatever else stops its import.
    """
    try:
        import torchvision as module
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare_missing_operators()
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # left half imported
        import torchvision as module
    return module


def _declare_missing_operators() -> None:
    library = torch.library.Library("torchvision", "DEF")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)
