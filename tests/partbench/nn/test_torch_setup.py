"""Memory and a compiler that training does not have to wait for."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TENSORS_OF_A_STEP = """
import ctypes, sys
import torch
from partbench.nn.torch_setup import keep_freed_memory

class Heap(ctypes.Structure):  # struct mallinfo2
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks free keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Heap
if sys.argv[1] == "kept":
    keep_freed_memory()
tensors = [torch.ones(4 << 20) for _ in range(5)]  # 16 MB each
tensors.clear()
print(library.mallinfo2().free >> 20)
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="asks glibc how much memory it holds")
def test_what_a_step_of_training_frees_is_kept_for_the_next() -> None:
    def held(how: str) -> int:
        words = [sys.executable, "-c", TENSORS_OF_A_STEP, how]
        return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert held("kept") >= 5 * 16
    assert held("usual") < 16


MAPPED = """
import sys
from pathlib import Path
import numpy as np, torch
from partbench.nn.torch_setup import return_mapped_memory

def resident():
    return int(Path("/proc/self/status").read_text().split("RssFile:")[1].split()[0]) >> 10

mapped = torch.from_numpy(np.load(sys.argv[1], mmap_mode="c"))
total = mapped.sum().item()
read = resident()
return_mapped_memory(mapped)
print(read - resident(), total == mapped.sum().item())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much of a file is in memory")
def test_pages_of_a_mapped_file_are_returned_and_read_again(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.ones(8 << 20, np.float32))  # 32 MB
    words = [sys.executable, "-c", MAPPED, str(tmp_path / "values.npy")]
    returned, equal = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert int(returned) >= 31
    assert equal == "True"


STEPS = """
import sys
import torch
from partbench.nn.torch_setup import spare_compiler

if sys.argv[2] == "spared":
    spare_compiler()
    spare_compiler()
weight = torch.ones(3, requires_grad=True)
optimiser = getattr(torch.optim, sys.argv[1])([weight], 0.1)
for _ in range(3):
    optimiser.zero_grad()
    (weight * torch.arange(3.0)).square().sum().backward()
    optimiser.step()
print("torch._dynamo" in sys.modules, weight.tolist())
if sys.argv[2] == "spared":
    import torch._dynamo
    def closure():
        assert torch.is_grad_enabled()
        return torch.tensor(2.0)
    print(optimiser.step(torch.enable_grad()(closure)).item())
"""


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_steps_without_the_compiler_change_weights_as_they_did(name: str) -> None:
    def weights(how: str) -> list[str]:
        words = [sys.executable, "-c", STEPS, name, how]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    [usual] = weights("usual")
    spared, closed = weights("spared")
    assert usual.replace("True", "False") == spared
    assert usual.startswith("True"), "torch does not import its compiler any more: spare_compiler can go"
    assert closed == "2.0"


OTHERS = """
import torch
from partbench.nn.torch_setup import spare_compiler

class Own(torch.optim.Optimizer):
    def step(self):
        assert not torch.is_grad_enabled()

spare_compiler()
weight = torch.ones(3, requires_grad=True)
torch.optim.LBFGS([weight]).zero_grad()
with torch.no_grad():
    own = Own([weight], {"lr": 0.1})
    own.zero_grad()
    own.step()

torch.optim.SGD([weight], 0.1)
spare_compiler()
optimiser, seen = torch.optim.SGD([weight], 0.1), []
optimiser.register_step_pre_hook(lambda *_: seen.append("hook"))
optimiser.step()
print(*seen)
"""


def test_other_optimisers_and_hooks_of_steps_work_as_they_did() -> None:
    words = [sys.executable, "-c", OTHERS]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() == ["hook"]
