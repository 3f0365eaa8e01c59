"""docs/short_forms.md: each example runs as it stands, and has as many lines as the page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from partbench import torchvision
from partbench.results.store import load_results
from partbench.running.defaults import defaults

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "short_forms.md").read_text()
EXAMPLES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", TEXT, re.S | re.M))
FORMS = {
    "attribution_explainer": "gradient_times_input.py", "ConceptExplainer": "nmf.py",
    "image_metric": "pointing_game.py", "folder_dataset": "birds.py", "torch_performer": "my_net.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples as files, with a folder of images of noise in two colours and random weights."""
    found = tmp_path_factory.mktemp("examples")
    for name, text in EXAMPLES.items():
        (found / name).write_text(text)
    torch.manual_seed(0)
    torch.save(torchvision().models.resnet18(num_classes=2).state_dict(), found / "my_net.pt")
    random, rows = np.random.default_rng(0), ["image,part,x0,y0,x1,y1"]
    for channel, category in enumerate(("crow", "robin")):
        (found / "birds" / category).mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(0, 120, (48, 64, 3), np.uint8)
            pixels[10:30, 20:50, channel] = 250
            Image.fromarray(pixels).save(found / "birds" / category / f"{i:02}.png")
            rows += [f"{category}/{i:02}.png,,20,10,50,30", f"{category}/{i:02}.png,beak,{20 + i},12,{26 + i},18"]
    (found / "birds" / "boxes.csv").write_text("\n".join(rows))
    return found


def bench(folder: Path, *words: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "partbench", *words]
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_table_counts_the_lines_of_the_examples() -> None:
    counted = dict(re.findall(r"^\|[^|]*\| `(\w+)` \| (\d+) \|$", TEXT, re.M))
    assert counted.keys() == FORMS.keys()
    for form, name in FORMS.items():
        assert int(counted[form]) == sum(bool(line.strip()) for line in EXAMPLES[name].splitlines()), form


def test_the_examples_run_together_by_file_though_one_is_named_three_times(folder: Path) -> None:
    """One run: the task is that of the dataset by its performer, the explainers are by file, the metric is scored."""
    files = [word for name in FORMS.values() for word in ("--plugin", f"./{name}")]
    words = ["--task", "birds/multi:robin", "--no-pictures", "--metric", "pointing_game", "--jobs", "1"]
    shown = bench(folder, "run", *files, "--plugin", "./nmf.py", "--plugin", str(folder / "nmf.py"), *words)
    assert "pointing_game" in shown
    frame = load_results(folder / "results")
    assert set(frame["explainer"]) == {"gradient_times_input", "nmf"}
    assert set(frame["performer"]) == {"my_net"}
    done = frame[frame["value"].notna()].groupby("explainer")["metric"].agg(set)
    assert {"pointing_game", "part_interpretability"} <= done["gradient_times_input"]
    assert {"pointing_game", "faithfulness_regression", "contribution_entropy"} <= done["nmf"]


def test_files_without_explainers_run_with_the_floors_and_srae_on_the_tasks_of_their_dataset(folder: Path) -> None:
    files = [word for name in ("pointing_game", "birds", "my_net") for word in ("--plugin", f"./{name}.py")]
    cells = json.loads(bench(folder, "run", *files, "--dry-run", "--json", "--results", "none", "--jobs", "1"))
    assert {cell["explainer"] for cell in cells} == set(defaults().companions)
    assert {cell["task"] for cell in cells} == {"birds/multi", "birds/multi:crow", "birds/multi:robin"}
    assert {cell["performer"] for cell in cells} == {"my_net"}


@pytest.mark.soak
@pytest.mark.parametrize("name", list(EXAMPLES))
def test_each_example_keeps_the_contract(folder: Path, name: str) -> None:
    others = [word for other in EXAMPLES if other != name for word in ("--plugin-file", f"./{other}")]
    assert "keeps the contract" in bench(folder, "check", f"./{name}", *others, "--task", "birds/multi:robin")
