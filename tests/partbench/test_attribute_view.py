"""Tasks that explain an attribute: opened by name, labelled by the attribute, on images and activations they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from partbench import Batch, Dataset, ImageSet, InputError, NotApplicable, Performer, PerformerPlugin
from partbench.attribute_view import AttributeSplit, through_attribute
from partbench.opening import Workbench
from partbench.registry import Entry, Registry, load
from partbench.running.cell import outputs_of
from partbench.task import Task
from partbench.task_name import TaskName
from partbench_plugins.autoencoder.training import known_labels

NAMES = ("hat", "wild", "young")


class Noise(ImageSet):
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


class Faces(Dataset):
    """A dataset of attribute tasks alone."""

    name: ClassVar[str] = "faces"
    version: ClassVar[str] = "7"
    default_performer: ClassVar[str] = "counts"
    classes: ClassVar[tuple[str, ...]] = ("face",)
    attribute_names: ClassVar[tuple[str, ...]] = NAMES
    attribute_tasks: ClassVar[Mapping[str, str]] = {"attribute-wild": "wild", "attribute-young": "young"}

    def __init__(self, root: Path | None, size: int) -> None:
        super().__init__(root, size)
        self.train, self.test = Noise(10, "faces-train"), Noise(6, "faces-test")


class Animals(Faces):
    """A dataset of categories, with another class for its attribute tasks."""

    name: ClassVar[str] = "animals"
    default_performer: ClassVar[str] = "sees"
    classes: ClassVar[tuple[str, ...]] = ("cat", "dog")
    categories: ClassVar[tuple[str, ...]] = ("cat", "dog")
    attribute_images: ClassVar[type] = Faces


class Counts(PerformerPlugin):
    """A network with a logit for each attribute; tells how often its trunk was run."""

    name: ClassVar[str] = "counts"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 8
    targets: ClassVar[dict[str, int]] = {"attribute-wild": 1, "attribute-young": 2}
    seen: ClassVar[int] = 0
    shift: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0)  # of the logits

    @classmethod
    def open(cls, dataset, device) -> Performer:
        class Trunk(nn.Flatten):
            def forward(self, images: Tensor) -> Tensor:
                Counts.seen += len(images)
                return super().forward(images)

        stages = {"conv": Trunk(), "fc": nn.Linear(192, 3)}
        torch.manual_seed(0)
        stages["fc"].reset_parameters()
        stages["fc"].bias.data += torch.tensor(cls.shift)
        return Performer(
            cls.name, "1", 8, stages, {"target": "conv", "logits": "fc"}, NAMES, cls.targets, f"{cls.name} {cls.shift}"
        )


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
    return workbench.task("faces/attribute-wild")


def test_the_target_is_the_logit_of_the_attribute(workbench: Workbench) -> None:
    assert (wild(workbench).target, workbench.task("faces/attribute-young").target) == (1, 2)
    assert wild(workbench).performer.outputs[1] == "wild"


def test_positive_are_the_images_that_have_the_attribute(workbench: Workbench) -> None:
    task = wild(workbench)
    attributes = Noise(10, "faces-train").attributes
    assert task.positive(task.training.labels).tolist() == [value == 1 for value in attributes[:, 1].tolist()]
    batch = task.batch("train", [4, 9])
    assert batch.labels.tolist() == [int(attributes[4, 1] == 1), 0]  # 9: nobody knows
    assert batch.attributes is not None
    assert torch.equal(batch.attributes[0], attributes[4])


def test_the_dataset_of_the_task_keeps_its_name_and_says_what_is_explained(workbench: Workbench) -> None:
    task = wild(workbench)
    assert (task.name, task.dataset.name, task.dataset.version) == ("faces/attribute-wild", "faces", "7")
    assert task.dataset.classes == ("not attribute-wild", "attribute-wild")
    assert task.explained_categories == task.dataset.categories == ("attribute-wild",)
    assert task.dataset.attribute_names == NAMES
    assert task.category_of(task.training.labels).unique().tolist() == [-1, 0]


def test_tasks_of_other_attributes_share_images_and_activations(workbench: Workbench) -> None:
    Counts.seen = 0
    first, second = wild(workbench), workbench.task("faces/attribute-young")
    logits = [task.training.activations("logits") for task in (first, second)]
    assert Counts.seen == 11  # ten images, and a blank one for the shapes of layers
    assert first.dataset.train.images is second.dataset.train.images
    assert torch.equal(*logits)
    assert not torch.equal(first.training.explained(), second.training.explained())
    assert first.activation_cache.item("train", "fc") == second.activation_cache.item("train", "fc")


def test_a_dataset_may_have_other_images_for_its_attribute_tasks(workbench: Workbench) -> None:
    cat, wild = workbench.task("animals/multi:cat"), workbench.task("animals/attribute-wild")
    assert isinstance(cat.dataset, Animals)
    assert cat.performer.name == "sees"
    assert wild.performer.name == "counts"
    assert isinstance(wild.dataset.dataset, Faces)
    assert workbench.resized(wild, 8).categories == ("attribute-wild",)
    assert workbench.resized(cat, 16).size == 16


def test_names_of_tasks_are_categories_multi_and_attributes(workbench: Workbench) -> None:
    attributes = ["attribute-wild", "attribute-young"]
    expected = [f"animals/{c}" for c in ("multi:cat", "multi:dog", "multi", "cat", "dog", *attributes)]
    assert workbench.registry.tasks() == [*(f"faces/{c}" for c in attributes), *expected]
    assert workbench.registry.default_performer("animals/multi") == "sees"
    assert workbench.registry.default_performer("animals/attribute-wild") == "counts"


def test_a_star_after_multi_stands_for_categories_and_after_attribute_for_attributes(workbench: Workbench) -> None:
    attributes = ["animals/attribute-wild", "animals/attribute-young"]
    assert workbench.expand(["animals/multi:*"]) == ["animals/multi:cat", "animals/multi:dog"]
    assert workbench.expand(["animals/attribute-*@sees"]) == [f"{name}@sees" for name in attributes]
    with pytest.warns(UserWarning, match="skipped animals/cat and 1 more: animals has no random images"):
        everything = workbench.expand(["animals/**"])
    assert everything == ["animals/multi:cat", "animals/multi:dog", "animals/multi", *attributes]
    assert workbench.expand(["faces/**"]) == ["faces/attribute-wild", "faces/attribute-young"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("faces/multi", "no task named"),
        ("faces/multi:face", "no task named"),
        ("faces/wild", "no task named"),
        ("animals/wild", "no task named"),
        ("animals/attribute-tame", "no task named"),
        ("animals/attribute-t*", "no task matches"),
        ("animals/multi:x*", "no task matches"),
        ("animals/was-*", "no task matches"),
    ],
)
def test_what_is_no_task_is_refused(workbench: Workbench, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        workbench.expand([name])


@pytest.mark.parametrize(
    ("name", "known"),
    [("animals/attribute-wild@sees", "cat, dog"), ("animals/multi:cat@counts", "attribute-wild, attribute-young")],
)
def test_a_performer_without_that_output_is_refused(workbench: Workbench, name: str, known: str) -> None:
    with pytest.raises(InputError, match=f"no output for .*; it knows {known}"):
        workbench.task(name)


def test_an_attribute_is_told_from_its_absence_and_from_no_other_attribute(workbench: Workbench) -> None:
    logits = torch.tensor([[5.0, 1.0, 9.0], [-5.0, -1.0, -9.0]])
    rivals, places = workbench.task("faces/attribute-wild").training.rivals(logits)
    assert rivals.tolist() == [[0, 1], [0, -1]]
    assert places == (1,)
    cat = workbench.task("animals/multi:cat")
    rivals, places = cat.training.rivals(logits)
    assert torch.equal(rivals, logits)
    assert places == cat.targets == (0,)


def test_metrics_see_whether_the_performer_takes_the_attribute_to_be_there(workbench: Workbench) -> None:
    task = wild(workbench)
    batch = task.batch("test", range(6))
    found = outputs_of(task, batch)
    own = task.performer.logits(batch.pixels)[:, 1]
    assert found.target == 1
    assert torch.equal(found.logits.argmax(1) == found.target, own > 0)
    assert torch.equal(found.explained, own)
    assert torch.equal(found.predict(batch.pixels), found.logits)
    assert torch.equal(found.category_logits, own[:, None])
    assert found.positive.tolist() == (task.dataset.test.labels == 1).tolist()


def test_the_predicted_label_of_an_attribute_follows_the_sign_of_its_logit(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = wild(workbench)
    images = task.batch("train", range(10)).pixels
    middle = float(task.performer.logits(images)[:, 1].median())
    monkeypatch.setattr(Counts, "shift", (100.0, -middle, 100.0))  # other attributes are far above
    task = wild(Workbench(workbench.registry))
    expected = torch.where(task.performer.logits(images)[:, 1] > 0, 0, -1)
    assert expected.unique().tolist() == [-1, 0]
    assert torch.equal(known_labels(task.training, "predicted"), expected)


def test_a_view_hands_on_what_it_does_not_change() -> None:
    dataset = Faces(None, 8)
    dataset.located = ("nose",)
    view = through_attribute(dataset, "attribute-young")
    assert view.located == ("nose",)
    assert view.size == 8
    assert isinstance(view.test, AttributeSplit)
    assert view.test.fingerprint == "faces-test"
    with pytest.raises(AttributeError):
        _ = view.no_such_thing


def test_images_without_a_part_are_labelled_too_where_there_are_any() -> None:
    images = Noise(4, "x")
    whole = AttributeSplit(images, 0)
    assert not whole.has_removals
    with pytest.raises(NotApplicable, match="cannot be had without a part"):
        whole.batch_without([0], "head")
    images.batch_without = lambda indices, part: replace(images.batch(indices), ids=(part,) * len(indices))
    images.has_removals = True
    split = AttributeSplit(images, 0)
    assert split.has_removals
    batch = split.batch_without([2, 1], "head")
    assert batch.ids == ("head", "head")
    assert batch.labels.tolist() == split.labels[[2, 1]].tolist()


def test_a_split_without_an_image_asked_for_is_empty() -> None:
    split = AttributeSplit(Noise(4, "x"), 0)
    assert len(split.batch([])) == 0


def test_registered_attribute_tasks_name_attributes_of_their_images() -> None:
    registry = load()
    with_tasks = [e.cls for e in registry.datasets.values() if e.cls.attribute_tasks]
    assert {cls.name for cls in with_tasks} >= {"fauna", "celeba"}
    for cls in with_tasks:
        images = cls.attribute_images or cls
        assert images.name == cls.name
        assert images.attribute_tasks == cls.attribute_tasks
        assert set(cls.attribute_tasks.values()) <= set(images.attribute_names)
        assert not set(cls.attribute_tasks) & {*cls.categories, "multi"}
        assert images.default_performer in registry.performers


def test_fauna_has_its_six_categories_and_four_attributes() -> None:
    workbench = Workbench(load())
    assert len(workbench.expand(["fauna/multi:*"])) == 6
    assert workbench.expand(["fauna/attribute-*"]) == [
        f"fauna/attribute-{n}" for n in ("wild", "tame", "ornate", "young")
    ]
    wild = TaskName("fauna", "attribute", "attribute-wild", "small_vgg_attributes")
    assert workbench.parse("fauna/attribute-wild") == wild
    with pytest.raises(
        InputError, match="small_vgg has no output for attribute-wild, task fauna/attribute-wild@small_vgg"
    ):
        workbench.task("fauna/attribute-wild@small_vgg")
    with pytest.raises(InputError, match="use --task fauna/attribute-<name>"):
        workbench.task("fauna/multi:cat@small_vgg_attributes")


def test_a_dataset_without_attributes_has_tasks_of_categories_alone() -> None:
    class Plain(Dataset):
        name = "plain"
        categories = ("a",)

    registry = Registry(datasets={"plain": Entry("plain", Plain, "o", "d", "1")})
    assert registry.tasks() == ["plain/multi:a", "plain/multi", "plain/a"]
