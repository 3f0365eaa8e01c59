"""Tasks that explain an attribute: opened by name, labelled by the attribute, on images and activations they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from partbench import Batch, InputError, Performer
from partbench.attribute_view import AttributeSplit, through_attribute
from partbench.opening import Workbench
from partbench.registry import Entry, Registry, load
from partbench.running.cell import _outputs
from partbench.task import Task
from partbench_plugins.autoencoder.training import known_labels

NAMES = ("hat", "wild", "young")


class Images:
    """Images of noise; attribute k of image i is known for all but the last image."""

    def __init__(self, count: int, fingerprint: str) -> None:
        self.fingerprint, self.count = fingerprint, count
        self.labels = torch.arange(count) % 2
        self.attributes = torch.where(torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) < 0.5, 1.0, -1.0)
        self.attributes[-1] = float("nan")

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        images = torch.rand(self.count, 3, 8, 8, generator=torch.Generator().manual_seed(2))
        ids = tuple(f"{self.fingerprint}/{i}" for i in rows)
        return Batch(ids, images[rows], self.labels[rows], attributes=self.attributes[rows])


class Faces:
    """A dataset of attribute tasks alone."""

    name: ClassVar[str] = "faces"
    version: ClassVar[str] = "7"
    default_performer: ClassVar[str] = "counts"
    needs_root: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = ("face",)
    categories: ClassVar[tuple[str, ...]] = ()
    attribute_names: ClassVar[tuple[str, ...]] = NAMES
    attribute_tasks: ClassVar[Mapping[str, str]] = {"is-wild": "wild", "is-young": "young"}
    landmark_names: tuple[str, ...] = ()
    part_names: tuple[str, ...] = ()

    def __init__(self, root: object, size: int) -> None:
        self.size = size
        self.train, self.test = Images(10, "faces-train"), Images(6, "faces-test")


class Animals(Faces):
    """A dataset of categories, with another class for its attribute tasks."""

    name: ClassVar[str] = "animals"
    default_performer: ClassVar[str] = "sees"
    classes: ClassVar[tuple[str, ...]] = ("cat", "dog")
    categories: ClassVar[tuple[str, ...]] = ("cat", "dog")
    attribute_images: ClassVar[type] = Faces


class Counts:
    """A network with a logit for each attribute; tells how often its trunk was run."""

    name: ClassVar[str] = "counts"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 8
    targets: ClassVar[dict[str, int]] = {"is-wild": 1, "is-young": 2}
    seen: ClassVar[int] = 0

    @classmethod
    def open(cls, dataset, device) -> Performer:
        class Trunk(nn.Flatten):
            def forward(self, images: Tensor) -> Tensor:
                Counts.seen += len(images)
                return super().forward(images)

        stages = {"conv": Trunk(), "fc": nn.Linear(192, 3)}
        torch.manual_seed(0)
        stages["fc"].reset_parameters()
        return Performer(cls.name, "1", 8, stages, {"target": "conv", "logits": "fc"}, NAMES, cls.targets, cls.name)


class Sees(Counts):
    """A network with a logit for each category."""

    name: ClassVar[str] = "sees"
    targets: ClassVar[dict[str, int]] = {"cat": 0, "dog": 1}


@pytest.fixture
def workbench(tmp_path, monkeypatch) -> Workbench:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    entries = {cls.name: Entry(cls.name, cls, "test", "test", "1") for cls in (Faces, Animals, Counts, Sees)}
    tables = {"datasets": ("faces", "animals"), "performers": ("counts", "sees")}
    return Workbench(Registry(**{kind: {name: entries[name] for name in names} for kind, names in tables.items()}))


def wild(workbench: Workbench) -> Task:
    return workbench.task("faces/is-wild")


def test_the_target_is_the_logit_of_the_attribute(workbench: Workbench) -> None:
    assert (wild(workbench).target, workbench.task("faces/is-young").target) == (1, 2)
    assert wild(workbench).performer.outputs[1] == "wild"


def test_positive_are_the_images_that_have_the_attribute(workbench: Workbench) -> None:
    task = wild(workbench)
    attributes = Images(10, "faces-train").attributes
    assert task.positive(task.training.labels).tolist() == [value == 1 for value in attributes[:, 1].tolist()]
    batch = task.batch("train", [4, 9])
    assert batch.labels.tolist() == [int(attributes[4, 1] == 1), 0]  # 9: nobody knows
    assert batch.attributes is not None
    assert torch.equal(batch.attributes[0], attributes[4])


def test_the_dataset_of_the_task_keeps_its_name_and_says_what_is_explained(workbench: Workbench) -> None:
    task = wild(workbench)
    assert (task.name, task.dataset.name, task.dataset.version) == ("faces/is-wild", "faces", "7")
    assert task.dataset.classes == ("not is-wild", "is-wild")
    assert task.explained_categories == task.dataset.categories == ("is-wild",)
    assert task.dataset.attribute_names == NAMES
    assert task.category_of(task.training.labels).unique().tolist() == [-1, 0]


def test_tasks_of_other_attributes_share_images_and_activations(workbench: Workbench) -> None:
    Counts.seen = 0
    first, second = wild(workbench), workbench.task("faces/is-young")
    logits = [task.training.activations("logits") for task in (first, second)]
    assert Counts.seen == 10
    assert first.dataset.train.images is second.dataset.train.images
    assert torch.equal(*logits)
    assert not torch.equal(first.training.explained(), second.training.explained())
    assert first.activation_cache.folder == second.activation_cache.folder


def test_a_dataset_may_have_other_images_for_its_attribute_tasks(workbench: Workbench) -> None:
    cat, wild = workbench.task("animals/cat"), workbench.task("animals/is-wild")
    assert isinstance(cat.dataset, Animals)
    assert cat.performer.name == "sees"
    assert wild.performer.name == "counts"
    assert isinstance(wild.dataset.dataset, Faces)
    assert workbench.resized(wild, 8).categories == ("is-wild",)
    assert workbench.resized(cat, 16).size == 16


def test_names_of_tasks_are_categories_multi_and_attributes(workbench: Workbench) -> None:
    attributes = ["is-wild", "is-young"]
    expected = [f"animals/{c}" for c in ("cat", "dog", "multi", *attributes)]
    assert workbench.registry.tasks() == [*(f"faces/{c}" for c in attributes), *expected]
    assert workbench.registry.default_performer("animals/multi") == "sees"
    assert workbench.registry.default_performer("animals/is-wild") == "counts"


def test_a_star_stands_for_categories_or_where_there_are_none_for_attributes(workbench: Workbench) -> None:
    assert workbench.expand(["animals/*"]) == ["animals/cat", "animals/dog"]
    assert workbench.expand(["faces/*@sees"]) == ["faces/is-wild@sees", "faces/is-young@sees"]
    assert workbench.expand(["animals/is-*"]) == ["animals/is-wild", "animals/is-young"]


@pytest.mark.parametrize("name", ["faces/multi", "faces/wild", "animals/wild", "animals/was-*"])
def test_what_is_no_task_is_refused(workbench: Workbench, name: str) -> None:
    with pytest.raises(InputError, match="no task named"):
        workbench.expand([name])


@pytest.mark.parametrize(("name", "known"), [("animals/is-wild@sees", "cat, dog"), ("animals/cat@counts", "is-wild")])
def test_a_performer_without_that_output_is_refused(workbench: Workbench, name: str, known: str) -> None:
    with pytest.raises(InputError, match=f"no output for .*; it knows {known}"):
        workbench.task(name)


def test_an_attribute_is_told_from_its_absence_and_from_no_other_attribute(workbench: Workbench) -> None:
    logits = torch.tensor([[5.0, 1.0, 9.0], [-5.0, -1.0, -9.0]])
    rivals, places = workbench.task("faces/is-wild").rivals(logits)
    assert rivals.tolist() == [[0, 1], [0, -1]]
    assert places == (1,)
    cat = workbench.task("animals/cat")
    rivals, places = cat.rivals(logits)
    assert torch.equal(rivals, logits)
    assert places == cat.targets == (0,)


def test_metrics_see_whether_the_performer_takes_the_attribute_to_be_there(workbench: Workbench) -> None:
    task = wild(workbench)
    batch = task.batch("test", range(6))
    found = _outputs(task, batch)
    own = task.performer.logits(batch.pixels)[:, 1]
    assert found.target == 1
    assert torch.equal(found.logits.argmax(1) == found.target, own > 0)
    assert torch.equal(found.explained, own)
    assert torch.equal(found.predict(batch.pixels), found.logits)
    assert torch.equal(found.category_logits, own[:, None])
    assert found.positive.tolist() == (task.dataset.test.labels == 1).tolist()


def test_the_predicted_label_of_an_attribute_follows_the_sign_of_its_logit(workbench: Workbench) -> None:
    task = wild(workbench)
    images = task.batch("train", range(10)).pixels
    last = task.performer.stages["fc"]
    last.bias += 100.0  # other attributes are far above
    last.bias[1] -= task.performer.logits(images)[:, 1].median()
    expected = torch.where(task.performer.logits(images)[:, 1] > 0, 0, -1)
    assert expected.unique().tolist() == [-1, 0]
    assert torch.equal(known_labels(task.training, "predicted"), expected)


def test_a_view_hands_on_what_it_does_not_change() -> None:
    dataset = Faces(None, 8)
    dataset.located = ("nose",)
    view = through_attribute(dataset, "is-young")
    assert view.located == ("nose",)
    assert view.size == 8
    assert isinstance(view.test, AttributeSplit)
    assert view.test.fingerprint == "faces-test"
    with pytest.raises(AttributeError):
        _ = view.no_such_thing


def test_images_without_a_part_are_labelled_too_where_there_are_any() -> None:
    images = Images(4, "x")
    assert AttributeSplit(images, 0).batch_without is None
    images.batch_without = lambda indices, part: replace(images.batch(indices), ids=(part,) * len(indices))
    split = AttributeSplit(images, 0)
    batch = split.batch_without([2, 1], "head")
    assert batch.ids == ("head", "head")
    assert batch.labels.tolist() == split.labels[[2, 1]].tolist()


def test_a_split_without_an_image_asked_for_is_empty() -> None:
    split = AttributeSplit(Images(4, "x"), 0)
    assert len(split.batch([])) == 0


def test_registered_attribute_tasks_name_attributes_of_their_images() -> None:
    registry = load()
    with_tasks = [e.cls for e in registry.datasets.values() if getattr(e.cls, "attribute_tasks", {})]
    assert {cls.name for cls in with_tasks} >= {"fauna", "celeba"}
    for cls in with_tasks:
        images = getattr(cls, "attribute_images", cls)
        assert images.name == cls.name
        assert images.attribute_tasks == cls.attribute_tasks
        assert set(cls.attribute_tasks.values()) <= set(images.attribute_names)
        assert not set(cls.attribute_tasks) & {*cls.categories, "multi"}
        assert images.default_performer in registry.performers


def test_fauna_has_its_six_categories_and_four_attributes() -> None:
    workbench = Workbench(load())
    assert len(workbench.expand(["fauna/*"])) == 6
    assert workbench.expand(["fauna/attribute-*"]) == [
        f"fauna/attribute-{n}" for n in ("wild", "tame", "ornate", "young")
    ]
    assert workbench.parse("fauna/attribute-wild") == ("fauna", "attribute-wild", "small_vgg_attributes")
    with pytest.raises(InputError, match="small_vgg has no output for fauna/attribute-wild"):
        workbench.task("fauna/attribute-wild@small_vgg")
    with pytest.raises(InputError, match="use --task fauna/attribute-<name>"):
        workbench.task("fauna/cat@small_vgg_attributes")


def test_a_dataset_without_attributes_is_as_before() -> None:
    registry = Registry(datasets={"plain": Entry("plain", SimpleNamespace(categories=("a",)), "o", "d", "1")})
    assert registry.tasks() == ["plain/a", "plain/multi"]
