"""CONTRIBUTING: its example plugins keep the contract as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from partbench import Explanation, check_explainer, check_metric, open_task
from partbench.plugin_files import import_file
from partbench.running.cell import outputs_of

TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text()
IMPORTS = """
import itertools, math
from dataclasses import dataclass
from typing import Annotated, ClassVar
import torch
from annotated_types import Ge
from partbench import Explainer, Explanation, ImageMetric, Images, NotApplicable, TrainingTask
"""


def test_the_examples_keep_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "examples.py"
    path.write_text(IMPORTS + "\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, re.S | re.M)))
    examples, task = import_file(path), open_task("fauna/multi:bird")
    found = check_explainer(examples.Occlusion, task, given={"side": 32})
    assert found is not None
    assert float(found.maps.max()) > 0
    batch = task.batch("test", range(6))
    check_metric(examples.LogitError(), batch, Explanation(logits=task.explained(batch) + 1), outputs_of(task, batch))
