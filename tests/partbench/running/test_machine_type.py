"""What is written of the processor and of the performer's weights."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from toys import toy_performer

from partbench.performers.weight_digest import weight_digest
from partbench.results.environment import processor
from partbench.running import machine_type
from partbench.running.machine_type import performer_digest, processor_type, weights_of

CPU = torch.device("cpu")
SAID = """
import torch
from partbench.opening import Workbench
from partbench.registry import load
from partbench.running.machine_type import performer_digest, processor_type
task = Workbench(load()).task("fauna/multi")
print(processor_type(torch.device("cpu")), performer_digest(task.performer), sep="\\n")
"""


def test_the_processor_is_told_with_the_instructions_that_torch_uses() -> None:
    assert processor_type(CPU) == f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"


def said(capability: str) -> tuple[str, str]:
    """The type of the processor and the digest of small_vgg in a process of its own, with these instructions alone."""
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    found = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, timeout=300, env=environment)
    assert found.returncode == 0, found.stderr
    processor, digest = found.stdout.splitlines()
    return processor, digest


def test_weights_that_are_shipped_have_one_digest_with_all_instructions() -> None:
    one, other = said("default"), said("avx2")
    assert one[1] == other[1]
    assert len(one[1]) == 16
    assert one[0].endswith(("DEFAULT", "NO AVX"))


def test_the_last_bit_of_one_weight_changes_the_digest() -> None:
    performer = toy_performer()
    before = performer_digest(performer)
    assert before == weight_digest(performer.weights())[:16]
    weight = next(iter(performer.weights().values())).view(-1)
    weight[0] = torch.nextafter(weight[0], torch.tensor(9.0))
    assert performer_digest(performer) != before


class OfPerformer:
    """What activations tell of their performer."""

    def __init__(self) -> None:
        self.performer = toy_performer()


def test_the_digest_behind_activations_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = OfPerformer(), OfPerformer()
    expected = performer_digest(one.performer)
    assert weights_of(one) == weights_of(other) == expected
    monkeypatch.setattr(machine_type, "performer_digest", lambda performer: pytest.fail("weights were hashed again"))
    assert weights_of(one) == expected
