"""The contract check: what it refuses, what it warns of, and what it lets pass."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from toys import toy_task

from partbench import Explainer, Explanation, Images, NotApplicable, Task, TrainingTask
from partbench.testing import ContractError, check_explainer
from partbench.testing.checks import check_blanked, check_declaration, misspelt


@dataclass
class Sums(Explainer):
    """Predicts the sum of the colours."""

    name: ClassVar[str] = "sums"

    def fit(self, task: TrainingTask) -> None:
        self.scale = 2.0

    def explain(self, images: Images) -> Explanation:
        means = images.pixels.mean((2, 3))
        return Explanation(scores=means, logits=self.scale * means.sum(1))


@dataclass
class Recites(Sums):
    """Predicts a number that belongs to the id of an image."""

    name: ClassVar[str] = "recites"

    def explain(self, images: Images) -> Explanation:
        return Explanation(logits=torch.tensor([float(int(text[:4], 16)) for text in images.ids]))


@dataclass
class LooksUp(Sums):
    """Returns the performer's own logits, looked up by image."""

    name: ClassVar[str] = "looks_up"

    def fit(self, task: TrainingTask) -> None:
        self.target = task.target

    def explain(self, images: Images) -> Explanation:
        return Explanation(logits=images.activations("logits")[:, self.target])


@dataclass
class Remembers(Sums):
    """Keeps the first prediction for an id and gives it again whatever the pixels are."""

    name: ClassVar[str] = "remembers"

    def fit(self, task: TrainingTask) -> None:
        self.known: dict[str, float] = {}

    def explain(self, images: Images) -> Explanation:
        means = images.pixels.mean((1, 2, 3)).tolist()
        logits = [self.known.setdefault(text, mean) for text, mean in zip(images.ids, means, strict=True)]
        return Explanation(logits=torch.tensor(logits))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return toy_task(tmp_path)


def test_an_explainer_that_keeps_the_contract_passes(task: Task) -> None:
    check_explainer(Sums, task)


@pytest.mark.parametrize("cls", [Recites, Remembers])
def test_logits_that_do_not_depend_on_pixels_break_the_contract(cls: type[Explainer], task: Task) -> None:
    with pytest.raises(ContractError, match=f"{cls.name}: logits of blanked images are those of the images"):
        check_explainer(cls, task)


def test_activations_of_blanked_images_are_computed_so_that_explainers_may_ask_for_them(task: Task) -> None:
    check_explainer(LooksUp, task)


def test_logits_that_vanish_with_the_pixels_break_the_contract(task: Task) -> None:
    class Silent(Sums):
        """Predicts nothing for black images."""

        def explain(self, images: Images) -> Explanation:
            found = super().explain(images)
            return found if images.pixels.any() else Explanation(scores=found.scores)

    with pytest.raises(ContractError, match="does it look at the pixels"):
        check_explainer(Silent, task)


def test_only_predicted_logits_are_asked_to_follow_the_pixels(task: Task) -> None:
    batch = task.batch("test", range(3))

    class Untouchable(Explainer):
        """Must not be asked again."""

        name = "untouchable"

        def explain(self, images: Images) -> Explanation:
            raise AssertionError("explained")

    check_blanked(Untouchable(), batch, Explanation(scores=torch.ones(3, 2)))


def test_one_logit_that_moves_is_enough(task: Task) -> None:
    class OneMoves(Sums):
        """Predicts a constant for all images but the brightest."""

        def explain(self, images: Images) -> Explanation:
            return Explanation(logits=(images.pixels.amax((1, 2, 3)) > 0.5).float())

    check_explainer(OneMoves, task)


def test_a_method_whose_name_is_nearly_that_of_a_capability_is_a_warning(task: Task) -> None:
    class Misspelt(Sums):
        """Means to report."""

        def reports(self) -> dict[str, float]:
            return {}

    assert misspelt(Misspelt) == [("reports", "report")]
    with pytest.warns(UserWarning, match="Misspelt has a method `reports`; did you mean `report`\\?"):
        check_explainer(Misspelt, task)


@pytest.mark.parametrize(
    ("method", "capability"),
    [
        ("concept_name", "concept_names"),
        ("un_masked", "unmasked"),
        ("compare_with", "compared_with"),
        ("heads", "head"),
    ],
)
def test_misspelt_methods_are_told_with_the_capability_meant(method: str, capability: str) -> None:
    cls = type("Odd", (Sums,), {method: lambda self: None, "__doc__": "Odd."})
    assert misspelt(cls) == [(method, capability)]


def test_other_names_of_ones_own_and_values_are_no_misspellings() -> None:
    @dataclass
    class Own(Sums):
        """Has methods and options of its own."""

        reports: int = 3

        def training_loss(self) -> float:
            return 0.0

        def _report(self) -> None: ...

        def report(self) -> dict[str, float]:
            return {}

    assert misspelt(Own) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_declaration(Own)


def broken(**changed: Any) -> type[Explainer]:
    """`Sums` with another explanation."""

    def explain(self: Explainer, images: Images) -> Explanation:
        usual: dict[str, Any] = {"scores": images.pixels.mean((2, 3))}
        return Explanation(**usual | {name: make(images) for name, make in changed.items()})

    return type("Broken", (Sums,), {"explain": explain, "__doc__": "Broken."})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": lambda images: torch.full((len(images), 2), torch.nan)}, "NaN or infinite"),
        ({"scores": lambda images: torch.ones(len(images), 2).int()}, "scores are int32, expected floating point"),
        ({"scores": lambda images: torch.ones(len(images) + 1, 2)}, r"scores are \(6, 2\), expected \(5, k\)"),
        ({"maps": lambda images: -torch.ones(len(images), 3, 2, 2)}, "maps must not be negative"),
        ({"maps": lambda images: lambda: -torch.ones(len(images), 3, 2, 2)}, "maps must not be negative"),
        ({"maps": lambda images: torch.ones(len(images), 2, 2, 2)}, "disagree on the number of concepts"),
        ({"parts": lambda images: torch.tensor([0, 1, 2])}, "the dataset names 2 parts"),
        ({"scores": lambda images: None}, "the explanation is empty"),
    ],
)
def test_what_an_explanation_may_not_hold_breaks_the_contract(changed: dict, message: str, task: Task) -> None:
    task.dataset.part_names = ("head", "tail")
    with pytest.raises(ContractError, match=message):
        check_explainer(broken(**changed), task)


def test_something_else_than_an_explanation_breaks_the_contract(task: Task) -> None:
    class Returns(Sums):
        """Returns a tensor."""

        def explain(self, images: Images) -> Any:
            return images.pixels

    with pytest.raises(ContractError, match=r"sums.explain returned a Tensor, expected an Explanation"):
        check_explainer(Returns, task)


def test_a_fit_without_a_seed_breaks_the_contract(task: Task) -> None:
    class Unseeded(Sums):
        """Draws from a generator of its own."""

        def fit(self, task: TrainingTask) -> None:
            generator = torch.Generator()
            generator.seed()
            self.scale = float(torch.rand(1, generator=generator)) + 0.1

    with pytest.raises(ContractError, match="logits differ for the same seed"):
        check_explainer(Unseeded, task)


def test_an_explainer_that_does_not_apply_passes(task: Task) -> None:
    class Elsewhere(Sums):
        """Serves other tasks."""

        def fit(self, task: TrainingTask) -> None:
            raise NotApplicable("other tasks")

        def explain(self, images: Images) -> Explanation:
            raise AssertionError("explained")

    check_explainer(Elsewhere, task)


def test_declarations_are_checked() -> None:
    class NoOptions(Explainer):
        """Has none, and so need not be a dataclass."""

        name: ClassVar[str] = "no_options"

    class NoDataclass(NoOptions):
        """Has an annotation, which is no option."""

        side: int = 8

    class OwnArguments(NoOptions):
        """Takes arguments, which are no options."""

        def __init__(self, side: int = 8) -> None:
            self.side = side

    @dataclass
    class NotJson(Sums):
        """Has an option that is no plain value."""

        option: Any = field(default_factory=object)

    check_declaration(NoOptions)
    for cls in (NoDataclass, OwnArguments):
        with pytest.raises(ContractError, match="is not a dataclass"):
            check_declaration(cls)
    with pytest.raises(ContractError, match="options must be plain values"):
        check_declaration(NotJson)
    undocumented = type("Undocumented", (Sums,), {"__doc__": None})
    with pytest.raises(ContractError, match="has no docstring"):
        check_declaration(undocumented)
    nameless = type("Nameless", (), {"__doc__": "No name."})
    with pytest.raises(ContractError, match="no class attribute `name`"):
        check_declaration(nameless)
