"""What `bench check` finds in plugins that are broken in the usual ways: in words, at a line, with a way to mend it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from partbench.cli.skeleton import rendered
from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.plugin_files import import_file
from partbench.registry import Entry, Registry, load, offered
from partbench.testing.finding import Finding
from partbench.testing.trial import Trial
from partbench.testing.worker_check import finding_of, unloadable

EXPLAINER = """
import sys
from dataclasses import dataclass
from typing import ClassVar
import torch
from partbench import Explainer, Explanation, hookimpl

@dataclass
class Mine(Explainer):
    "Maps of the target layer."
    name: ClassVar[str] = "mine"
    k: int = 4
    def fit(self, task):
        FIT
    def explain(self, images):
        maps = images.activations("target").relu()[:, :self.k]
        scores, logits = maps.amax((2, 3)), None
        EXPLAIN
        return Explanation(maps, scores=scores, logits=logits)

@hookimpl
def register_explainers(register):
    register(Mine)
"""
METRIC = """
from dataclasses import dataclass
from partbench import ImageMetric, Scores, hookimpl

@dataclass
class Mine(ImageMetric):
    "The mean of the maps."
    name = "mine"
    needs = ("maps",)
    higher_is_better = True
    bounds = (0.0, 1e6)
    def readings(self, batch, explanation, outputs):
        value = explanation.maps.mean((1, 2, 3))
        return {"": value.numpy()}

@hookimpl
def register_metrics(register):
    register(Mine)
"""
QUICK = ("STEPS, BATCH, RATE, SEED = ", "STEPS, BATCH, RATE, SEED = 1, 8, 1e-3, 0  # ")


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    made = Workbench(load())
    made.task("fauna/multi:bird")
    return made


@pytest.fixture
def check(workbench: Workbench, tmp_path: Path):
    def checked(source: str, *changes: tuple[str, str], kind: str = "explainers") -> Finding:
        for old, new in changes:
            assert old in source, old
            source = source.replace(old, new)
        path = tmp_path / "mine.py"
        path.write_text(source)
        tables = {name: dict(getattr(workbench.registry, name)) for name in ("datasets", "performers", kind)}
        for other, cls in offered(import_file(path)):
            tables[other][cls.name] = Entry(cls.name, cls, str(path), "mine.py", "0")
        registry: Registry = dataclasses.replace(workbench.registry, **tables)
        return finding_of(Trial(Workbench(registry, _opened=dict(workbench._opened))), kind, "mine")

    return checked


def line_of(source: str, text: str) -> str:
    return f"line {source[: source.index(text)].count(chr(10)) + 1},"


def test_nothing_is_found_in_a_sound_plugin_but_what_it_lacks(check) -> None:
    found = check(EXPLAINER, ("FIT", "pass"), ("EXPLAIN", "pass"))
    assert found.problem == ""
    assert any("the explanation has no logits" in note for note in found.notes)


@pytest.mark.parametrize(
    ("code", "problem", "mend"),
    [
        ("maps = maps[:, 0]", "maps are (6, 16, 16), expected (6, k, h, w)", "maps[:, None]"),
        ("maps = maps / 0", "NaN or infinite", ".clamp"),
        ("maps = maps - 1", "maps must not be negative", ".relu()"),
        ("maps = maps.long()", "maps are int64", ".float()"),
        ("maps = maps.numpy()", "maps are a ndarray", "torch.as_tensor"),
        ("scores = scores[:, :2]", "fields disagree on the number of concepts", "the same k concepts"),
        ("logits = scores[:, :1]", "logits are (6, 1), expected (6,)", "logits[:, 0]"),
        ("maps = maps / maps.sum()", "depend on the other images of the batch", "each image by itself"),
        ("logits = torch.arange(len(images)) * 1.0", "depend on the other images", "each image by itself"),
        ("logits = torch.tensor([float(int(i[:4], 16)) for i in images.ids])", "blanked images", "never from ids"),
        ("maps = images.activations('conv9')", "no layer of small_vgg named 'conv9'", "layers have roles"),
        ("maps = {}['a']", "it raised KeyError: 'a'", ""),
        ("return maps", "explain returned a Tensor, expected an Explanation", "return an `Explanation`"),
        ("return None", "explain returned a NoneType", "on every path"),
        ("torch.set_default_dtype(torch.float64)", "it changed torch's default dtype", "put back what you set"),
    ],
)
def test_what_explain_does_wrong_is_told(check, code: str, problem: str, mend: str) -> None:
    found = check(EXPLAINER, ("FIT", "pass"), ("EXPLAIN", code))
    assert problem in found.problem
    assert mend in found.mend
    assert "mine.py, line" in found.where


@pytest.mark.parametrize(
    ("code", "problem", "mend"),
    [
        ("sys.exit(3)", "it raised SystemExit: 3", "must not end the process"),
        (
            "next(task.performer.stages['conv4'].parameters()).zero_()",
            "changed the performer: conv4.0",
            "work on a copy",
        ),
        ("task.performer.stages['conv4'].register_forward_hook(print)", "conv4 (hooks)", "handle.remove()"),
    ],
)
def test_what_fit_does_wrong_is_told_with_its_line(check, code: str, problem: str, mend: str) -> None:
    source = EXPLAINER.replace("FIT", code)
    found = check(source, ("EXPLAIN", "pass"))
    assert problem in found.problem
    assert mend in found.mend
    assert f"mine.py, {line_of(source, code)}" in found.where or "in fit" in found.where


@pytest.mark.parametrize(
    ("old", "new", "problem", "mend", "name"),
    [
        ('    "Maps of the target layer."\n', "", "has no docstring", "write a docstring", "class Mine"),
        ("@dataclass\n", "", "is not a dataclass", "@dataclass", "class Mine"),
        ("k: int = 4", "k: torch.Tensor = None", "cannot be checked", "attributes set by `fit`", "class Mine"),
    ],
)
def test_what_an_explainer_declares_wrong_is_told(
    check, old: str, new: str, problem: str, mend: str, name: str
) -> None:
    found = check(EXPLAINER.replace("self.k", "4"), ("FIT", "pass"), ("EXPLAIN", "pass"), (old, new))
    assert problem in found.problem
    assert mend in found.mend
    assert found.where.endswith(name)


@pytest.mark.parametrize(
    ("old", "new", "problem", "mend", "name"),
    [
        ("value.numpy()", "value.mean().numpy()", "gives () as '', expected (8,)", "one value per image", "readings"),
        ('{"": value.numpy()}', "value.numpy()", "readings() returned a ndarray", '{"": values}', "readings"),
        ("value.numpy()", "(value / value.max()).numpy()", "image by image", "collect what belongs", "readings"),
        ('("maps",)', '("mapps",)', "did you mean 'maps'?", "names of fields", "needs"),
        ("1e6)", "1e-3)", "outside its bounds", "correct `bounds`", "bounds"),
        (
            "    def readings", "    def compute(self): return {'other': Scores(['a'], [0.5])}\n    def readings",
            "scores named 'other', expected mine", "self.name", "compute",
        ),
        ("value.numpy()", "(value / None).numpy()", "TypeError", "", "readings"),
    ],
)  # fmt: skip
def test_what_a_metric_does_wrong_is_told(check, old: str, new: str, problem: str, mend: str, name: str) -> None:
    found = check(METRIC, (old, new), kind="metrics")
    assert problem in found.problem
    assert mend in found.mend
    assert found.where.endswith(f"in {name}")


def test_a_metric_without_any_value_is_something_to_look_at(check) -> None:
    found = check(METRIC, ("value.numpy()", "(value * float('nan')).numpy()"), kind="metrics")
    assert found.problem == ""
    assert found.remarks == ("mine has no value on the images tried: all are NaN",)


@pytest.mark.parametrize(
    ("old", "new", "problem", "mend", "name"),
    [
        (
            "masks=masks,", "masks=masks, part_boxes=torch.full((len(pixels), 2, 4), 500.0),", "outside the 64 px",
            "after resizing", "batch",
        ),
        ("tops.float()", "tops.float() + 500", "landmarks: from", "as it is opened", "batch"),
        ("masks=masks,", "masks=masks.float(),", "masks are torch.float32", "masks > 0", "batch"),
        ("pixels=pixels.permute", "pixels=255 * pixels.permute", "expected 0 to 1", "/ 255", "batch"),
        ("default_rng([seed, index])", "default_rng()", "other pixels at the second", "seeded with the index", "batch"),
        ("/{self.seed}/{index}", "/{index}", "train and test share images", "one split", "class Mine"),
        ("count) % len(CLASSES)", "count) % 7", "0 to 6, of 3 classes", "indices into `classes`", "labels"),
        ('"mine_net"  # the', '"mine_nett"  # the', "did you mean 'mine_net'", "in the same file", "default_performer"),
    ],
)  # fmt: skip
def test_what_a_dataset_does_wrong_is_told(check, old: str, new: str, problem: str, mend: str, name: str) -> None:
    found = check(rendered("dataset", "mine")["mine.py"], QUICK, (old, new), kind="datasets")
    assert problem in found.problem
    assert mend in found.mend
    assert found.where.endswith(name)


@pytest.mark.parametrize(
    ("old", "new", "problem", "mend", "name"),
    [
        ('"target": "conv2"', '"target": "conv7"', "given to conv7, which is no layer", "names among `stages`", "open"),
        ("outputs=names,", "outputs=names[:2],", "is output 2 of 2", "among `outputs`", "open"),
        ("return Performer(", "Performer(", "open() returned a NoneType", "return Performer", "open"),
        ("input_size=SIZE,", "input_size=224,", "images have 64 px, expected 224", "`input_size`", "input_size"),
        ("names = names_of(dataset)", "names = [][1]", "IndexError", "", "open"),
    ],
)
def test_what_a_performer_does_wrong_is_told(check, old: str, new: str, problem: str, mend: str, name: str) -> None:
    found = check(rendered("performer", "mine")["mine.py"], QUICK, (old, new), kind="performers")
    assert problem in found.problem
    assert mend in found.mend
    assert found.where.endswith(f"in {name}")


@pytest.mark.parametrize(
    ("old", "new", "problem", "where", "mend"),
    [
        ("import sys\n", "import nowhere_at_all\n", "ModuleNotFoundError", "line 2", "install the module"),
        ("FIT", "x = (", "SyntaxError: '(' was never closed", "line 14", ""),
        ('    name: ClassVar[str] = "mine"\n', "", "there is none", "in class Mine", "name: ClassVar[str]"),
        ("@hookimpl\n", "", "registers nothing", "", "@hookimpl"),
        ("register_explainers", "register_explainer", "unknown hook 'register_explainer'", "", "register_explainers"),
        ("register(Mine)", "register(Mine())", "expected a class", "", "without brackets"),
        ("def explain(", "def explian(", "not there: explain()", "in class Mine", "what is named"),
    ],
)
def test_why_a_file_cannot_be_loaded_is_told(
    tmp_path: Path, old: str, new: str, problem: str, where: str, mend: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(EXPLAINER.replace(old, new, 1).replace("FIT", "pass").replace("EXPLAIN", "pass"))
    with pytest.raises(InputError) as caught:
        load([path])
    found = unloadable(str(path), caught.value)
    assert problem in found.problem
    assert where in found.where
    assert mend in found.mend
