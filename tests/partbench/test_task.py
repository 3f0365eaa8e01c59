"""Tasks: what an explainer is handed to learn from, and what is made of its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from toys import toy_performer, toy_task

from partbench import Explainer, Explanation, Images, InputError, NotApplicable, Task
from partbench.performer import LayerUnsuited
from partbench.task_name import TaskName
from partbench.types import NegativeMaps


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return toy_task(tmp_path)


@pytest.fixture
def of_all(tmp_path: Path) -> Task:
    return toy_task(tmp_path, "multi")


def test_a_task_of_an_unknown_category_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no category of squares named 'bth'; did you mean 'both'"):
        toy_task(tmp_path, "bth")


def test_a_task_has_the_name_it_is_opened_by(task: Task, of_all: Task) -> None:
    assert (task.name, of_all.name) == ("squares/multi:both", "squares/multi")
    task.performer.name = "other"
    assert task.name == "squares/multi:both@other"
    assert TaskName.parse(task.name).form == task.form == "logit"


def test_the_explained_category_is_one_or_all_in_the_order_of_the_dataset(task: Task, of_all: Task) -> None:
    assert (task.explained_categories, task.targets, task.target) == (("both",), (0,), 0)
    assert (of_all.explained_categories, of_all.targets, of_all.target) == (("both", "red"), (0, 1), None)


def test_images_have_the_index_of_their_category_among_those_explained(task: Task, of_all: Task) -> None:
    labels = torch.tensor([2, 1, 0, 0])
    assert task.category_of(labels).tolist() == [-1, -1, 0, 0]
    assert of_all.category_of(labels).tolist() == [-1, 1, 0, 0]
    assert of_all.training.category_of(labels).tolist() == [-1, 1, 0, 0]
    assert of_all.positive(labels).tolist() == [False, True, True, True]
    assert task.category_of(labels[:0]).tolist() == []


def test_rivals_of_a_category_are_all_logits_and_of_an_attribute_its_absence(task: Task) -> None:
    logits = torch.tensor([[5.0, 1.0, 9.0], [-5.0, -1.0, -9.0]])
    rivals, places = task.training.rivals(logits)
    assert torch.equal(rivals, logits)
    assert places == (0,)
    task.dataset.attribute_tasks = {"both": "an attribute"}
    attribute = Task(task.dataset, task.performer, "both", task.activation_cache)
    assert attribute.form == "attribute"
    rivals, places = attribute.training.rivals(logits)
    assert rivals.tolist() == [[0, 5], [0, -5]]
    assert places == (1,)


@pytest.mark.parametrize(("negatives", "form"), [("random", "single"), ("others", "others")])
def test_the_logit_of_a_binary_performer_is_compared_with_0(task: Task, negatives: str, form: str) -> None:
    task.dataset.negatives = negatives
    assert task.form == task.training.form == form
    assert task.training.explains_log_odds
    assert TaskName.parse(task.name).form == form
    rivals, places = task.training.rivals(torch.tensor([[5.0], [-5.0]]))
    assert rivals.tolist() == [[0, 5], [0, -5]]
    assert places == (1,)


def test_the_explained_logit_is_that_of_the_performer(task: Task) -> None:
    training = task.training
    logits = task.performer.logits(task.dataset.train.images)
    torch.testing.assert_close(training.explained(), logits[:, 0], atol=1e-5, rtol=1e-5)
    batch = training.batch([3, 5])
    torch.testing.assert_close(training.explained(batch.images), logits[[3, 5], 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(task.explained(batch), logits[[3, 5], 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(task.category_logits(batch), logits[[3, 5], :1], atol=1e-5, rtol=1e-5)


def test_where_all_logits_are_explained_there_is_no_single_one(of_all: Task) -> None:
    with pytest.raises(ValueError, match="squares/multi explains all logits, not one"):
        of_all.training.explained()
    assert of_all.training.category_logits().shape == (120, 2)


def test_what_is_learned_from_is_the_training_split_and_a_copy_of_it(task: Task) -> None:
    training = task.training
    labels, batch, logits = training.labels, training.batch([0, 1]), training.activations("logits")
    before = labels.clone(), batch.pixels.clone(), logits.clone()
    for value in (labels, batch.pixels, batch.labels, logits):
        value.zero_()
    assert torch.equal(training.labels, before[0])
    assert torch.equal(training.batch([0, 1]).pixels, before[1])
    assert torch.equal(training.batch([0, 1]).labels, before[0][:2])
    assert torch.equal(training.activations("logits"), before[2])
    assert torch.equal(task.dataset.train.labels, before[0])


def test_batches_are_the_training_images_in_order_or_those_asked_for(task: Task) -> None:
    ids = [name for batch in task.training.batches(50) for name in batch.ids]
    assert ids == list(task.dataset.train.ids)
    some = [batch.ids for batch in task.training.batches(2, [7, 3, 9])]
    assert some == [("train/007", "train/003"), ("train/009",)]
    assert [len(batch) for batch in task.batches("test", 8)] == [8, 8, 4]


def test_seeds_change_nothing_but_the_seed(task: Task) -> None:
    other = task.with_seed(7)
    assert (other.seed, other.training.seed, task.training.seed) == (7, 7, 0)
    assert other.activation_cache is task.activation_cache
    assert other.training.fingerprint == task.training.fingerprint


def test_random_numbers_follow_from_seed_task_and_explainer(task: Task, of_all: Task) -> None:
    own = task.training.random_seed("srae")
    assert own == task.with_seed(0).training.random_seed("srae") < 2**32
    others = [task.with_seed(1).training.random_seed("srae"), of_all.training.random_seed("srae")]
    assert len({own, *others, task.training.random_seed("nn")}) == 4


def test_the_fingerprint_follows_the_training_images_and_the_performer(task: Task, tmp_path: Path) -> None:
    more = toy_task(tmp_path, train=121)
    assert more.training.fingerprint != task.training.fingerprint
    task.performer.fingerprint = "other"
    assert Task(task.dataset, task.performer, "both", task.activation_cache).training.fingerprint.endswith("other")


def test_what_an_explainer_is_handed_cannot_be_assigned_to(task: Task) -> None:
    with pytest.raises(AttributeError):
        task.training.seed = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        task.training.split.token = "x"  # type: ignore[misc]


class Lenient(Explanation):
    """An explanation that would accept itself."""

    def accepted(self, *_: Any, **__: Any) -> Explanation:
        return self


@dataclass
class Answers(Explainer):
    """Returns what it was made with."""

    name: ClassVar[str] = "answers"
    answer: Any = None

    def explain(self, images: Images) -> Any:
        self.seen = images
        return self.answer


def test_an_explainer_sees_images_and_its_answer_is_accepted(task: Task) -> None:
    explainer = Answers(Explanation(scores=torch.ones(2, 3).double()))
    found = task.explain(explainer, task.batch("test", [4, 1]))
    assert isinstance(explainer.seen, Images)
    assert torch.equal(explainer.seen.pixels, task.dataset.test.images[[4, 1]])
    assert found.scores.dtype == torch.float32


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "answers.explain returned a NoneType, expected an Explanation"),
        (torch.ones(2, 3), "answers.explain returned a Tensor, expected an Explanation"),
        (Lenient(-torch.ones(2, 1, 3, 3)), "answers.explain returned a Lenient, expected an Explanation"),
        (Explanation(scores=torch.ones(3, 3)), r"scores are \(3, 3\), expected \(2, k\)"),
        (Explanation(parts=torch.tensor([0, 2])), "parts hold 2, expected at most 1: the dataset names 2 parts"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused(answer: Any, message: str, task: Task) -> None:
    task.dataset.part_names = ("head", "tail")
    with pytest.raises(ValueError, match=message):
        task.explain(Answers(answer), task.batch("test", [4, 1]))


@dataclass
class Read(Explainer):
    """The values of a layer, less a number, as maps."""

    name: ClassVar[str] = "read"
    layer: str = "target"
    less: float = 0.0

    def explain(self, images: Images) -> Explanation:
        return Explanation(images.activations(self.layer) - self.less)


def test_negative_maps_are_a_mistake_unless_the_layer_that_was_asked_for_has_them(tmp_path: Path) -> None:
    toy = toy_performer()
    stages = {**toy.stages, "conv1": toy.stages["conv1"][:1], "pool": torch.nn.Sequential(*toy.stages["conv1"][1:])}
    order = {name: stages[name] for name in ("conv1", "pool", "conv2", "fc1", "logits")}
    task = toy_task(tmp_path, performer=replace(toy, stages=order))
    batch = task.batch("test", range(4))
    said = r"layer 'target' \(conv1\) of toy has values below 0, where maps are >= 0; its layers: target"
    with pytest.raises(LayerUnsuited, match=said) as caught:
        task.explain(Read(), batch)
    assert isinstance(caught.value, NotApplicable)
    assert float(task.explain(Read(layer="top_conv"), batch).maps.min()) >= 0
    with pytest.raises(NegativeMaps, match="maps must not be negative"):
        task.explain(Read(layer="top_conv", less=1.0), batch)


def test_parts_are_those_the_dataset_names_or_else_its_landmarks(task: Task) -> None:
    explainer, batch = Answers(Explanation(parts=torch.tensor([2]))), task.batch("test", [0])
    task.dataset.landmark_names = ("eye", "beak", "foot")
    assert task.explain(explainer, batch).parts.tolist() == [2]
    task.dataset.part_names = ("head", "tail")
    with pytest.raises(ValueError, match="the dataset names 2 parts"):
        task.explain(explainer, batch)


def test_images_without_a_part_are_refused_where_a_dataset_has_none(task: Task) -> None:
    with pytest.raises(NotApplicable, match="cannot be had without a part"):
        task.batch_without("test", [0], "head")
