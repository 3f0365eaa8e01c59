"""docs/bridges.md: what two libraries compute of one method is the same, and its plugin file keeps the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from partbench import open_task, torchvision
from partbench.registry import load

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "bridges.md").read_text()


@pytest.mark.filterwarnings("ignore")
def test_two_libraries_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision()
    for module in ("captum", "pytorch_grad_cam", "zennit"):
        pytest.importorskip(module, reason="needs pip install 'partbench[captum,grad-cam,zennit]'")
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import bridges

    task = open_task(bridges.TASK)
    found = bridges.comparisons(task, bridges.images_of(task))
    assert [c for c in found if c.difference >= bridges.SAME] == []
    assert len(found) == 6
    assert min(c.correlation for c in found) > 0.999
    assert bridges.written(PAGE, bridges.table(found)) == PAGE


def test_the_plugin_file_registers_metrics_of_quantus(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    path = tmp_path / "quantus_metrics.py"
    path.write_text(text)
    assert load([path]).of_file(path)["metrics"] == [
        "quantus.PixelFlipping", "quantus.Sparseness", "quantus.PointingGame",
    ]  # fmt: skip
