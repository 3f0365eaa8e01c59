"""docs/plugins.md: its examples, one after the other in one file, are plugins that keep the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from partbench import open_task
from partbench.plugin_files import import_file
from partbench.registry import KINDS, load
from partbench.running.cell import fit

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "plugins.md").read_text()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All Python of the page; importing it runs the checks that the page calls."""
    path = tmp_path_factory.mktemp("plugins") / "examples.py"
    path.write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)))
    return path


def test_the_file_registers_a_plugin_of_each_kind(file: Path) -> None:
    found = load([file]).of_file(file)
    assert found == dict(zip(KINDS, (["occlusion"], ["logit_error"], ["shapes"], ["shapes_net"]), strict=True))


def test_the_explainer_marks_what_lowers_the_logit(file: Path) -> None:
    task = open_task("fauna/multi:bird")
    explainer = import_file(file).Occlusion(side=32)
    fit(explainer, task)
    batch = task.batch("test", range(2))
    images, explanation = batch.images, task.explain(explainer, batch)
    grey = images.pixels.clone()
    grey[:, :, :32, :32] = 0.5
    full, without = (task.performer.logits(pixels)[:, task.target] for pixels in (images.pixels, grey))
    fall = full - without
    torch.testing.assert_close(explanation.maps[:, 0, 0, 0], fall.clamp(min=0))
    assert explanation.maps.max() > 0


def test_the_network_tells_the_shapes_apart(file: Path) -> None:
    examples = import_file(file)
    shapes = examples.Shapes()
    test, network = shapes.test.batch(range(64)), examples.ShapesNet.open(shapes, torch.device("cpu"))
    assert (network.logits(test.pixels).argmax(1) == test.labels).float().mean() > 0.9
