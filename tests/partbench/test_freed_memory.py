from __future__ import annotations

import platform
import subprocess
import sys

import pytest

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
