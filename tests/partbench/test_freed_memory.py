from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from partbench import freed_memory
from partbench.freed_memory import return_after

BETWEEN_WHAT_STAYS = """
import psutil, torch
from partbench.freed_memory import return_freed_memory
from partbench.nn.torch_setup import keep_freed_memory

keep_freed_memory()
tensors = [torch.ones(4 << 20) for _ in range(20)]  # 16 MB each
last = torch.ones(4 << 20)
tensors.clear()
kept = psutil.Process().memory_info().rss
return_freed_memory()
print((kept - psutil.Process().memory_info().rss) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="other C libraries keep no freed memory")
def test_what_earlier_cells_freed_is_returned_even_where_something_lies_behind_it() -> None:
    result = subprocess.run([sys.executable, "-c", BETWEEN_WHAT_STAYS], check=True, capture_output=True, text=True)
    assert int(result.stdout) >= 19 * 16


@pytest.mark.parametrize(("side", "times"), [(64, 0), (224, 1)])
def test_a_batch_of_small_images_leaves_nothing_to_return(side, times, monkeypatch: pytest.MonkeyPatch) -> None:
    returned = []
    monkeypatch.setattr(freed_memory, "return_freed_memory", lambda: returned.append(side))
    return_after(64 * 3 * side * side * 4)
    assert len(returned) == times
