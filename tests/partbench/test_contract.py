"""Everything registered keeps the contract: explainers on a real task, metrics, datasets and performers as declared."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from partbench import Batch, Explanation, Images, Metric, PerformerOutputs, ReceptiveField, Scores
from partbench.opening import Workbench
from partbench.registry import Registry, load
from partbench.testing import ContractError, check_explainer, check_metric
from partbench_plugins.interp_cnn.interp_cnn import InterpCnn

REGISTRY: Registry = load()
SHORT = {name: {"epochs": 1} for name in ("additive", "additive_no_prior", "autoencoder", "autoencoder_cls")}
SHORT["interp_cnn"] = {"epochs": 1, "warm_up": 0}  # training as short as possible


@pytest.fixture(autouse=True)
def short_training_of_concepts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = partial(InterpCnn, **SHORT["interp_cnn"])
    monkeypatch.setattr("partbench_plugins.additive.concepts.InterpCnn", made)


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    return Workbench(REGISTRY)


@pytest.mark.parametrize("what", ["multi:bird", "multi"])
@pytest.mark.parametrize("name", sorted(REGISTRY.explainers))
def test_explainer(name: str, what: str, workbench: Workbench) -> None:
    check_explainer(REGISTRY.explainers[name].cls, workbench.task(f"fauna/{what}"), given=SHORT.get(name))


def toy_scene(n: int = 10, k: int = 3, size: int = 16) -> tuple[Batch, Explanation, PerformerOutputs]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, size, size, generator=generator)
    masks = torch.zeros(n, 2, size, size, dtype=torch.bool)
    masks[:, 0, 2:8, 2:8] = masks[:, 1, 8:14, 4:12] = True
    batch = Batch(
        tuple(f"toy/{i}" for i in range(n)),
        images,
        torch.zeros(n, dtype=torch.long),
        boxes=torch.tensor([[2.0, 2, 14, 14]]).repeat(n, 1),
        landmarks=torch.tensor([[[5.0, 5.0], [8.0, 11.0]]]).repeat(n, 1, 1),
        masks=masks,
        attributes=torch.ones(n, 2),
    )
    maps = torch.rand(n, k, 4, 4, generator=generator)
    logits = torch.randn(n, 3, generator=generator)
    contributions = torch.rand(n, k, generator=generator)
    explanation = Explanation(
        maps, grid=ReceptiveField(2, 4, 6), scores=maps.amax((2, 3)), contributions=contributions,
        logits=logits[:, 0] + 0.1 * torch.randn(n, generator=generator),
        parts=torch.arange(k) % 3 - 1, part_drops=torch.rand(n, 2, generator=generator),
    )  # fmt: skip
    effects = torch.rand(n, 2, generator=generator)
    outputs = PerformerOutputs(
        logits, torch.arange(n) % 2 == 0, 0, logits[:, 0], lambda x: x.mean((2, 3)), parts=("head", "tail"),
        part_effects=lambda wanted: effects,
    )  # fmt: skip
    return batch, explanation, outputs


@pytest.mark.parametrize("name", sorted(REGISTRY.metrics))
def test_metric(name: str) -> None:
    check_metric(REGISTRY.metrics[name].cls(), *toy_scene())


@pytest.mark.parametrize("name", sorted(REGISTRY.datasets))
def test_dataset_declaration(name: str) -> None:
    cls = REGISTRY.datasets[name].cls
    assert set(cls.categories) <= set(cls.classes)
    assert cls.default_performer in REGISTRY.performers
    assert cls.__doc__
    assert cls.version


@pytest.mark.parametrize("name", sorted(REGISTRY.performers))
def test_performer_declaration(name: str) -> None:
    cls = REGISTRY.performers[name].cls
    assert cls.input_size > 0
    assert cls.__doc__
    assert cls.version


def test_a_batch_dependent_explainer_breaks_the_contract(workbench: Workbench) -> None:
    cls = REGISTRY.explainers["centre_map"].cls

    class Ranks(cls):  # type: ignore[misc, valid-type]
        """Ranks images within their batch."""

        def explain(self, images: Images) -> Explanation:
            return Explanation(scores=images.pixels.mean((1, 2, 3)).argsort()[:, None].float())

    with pytest.raises(ContractError, match="depend on the other images"):
        check_explainer(Ranks, workbench.task("fauna/multi:bird"))


def test_an_explainer_that_changes_the_performer_breaks_the_contract() -> None:
    workbench = Workbench(REGISTRY)
    cls = REGISTRY.explainers["centre_map"].cls

    class Tampers(cls):  # type: ignore[misc, valid-type]
        """Edits the network it explains."""

        def fit(self, task) -> None:
            super().fit(task)
            next(iter(task.performer.segment("images", "logits").parameters())).data.add_(1)

    with pytest.raises(ContractError, match="changed the performer"):
        check_explainer(Tampers, workbench.task("fauna/multi:bird"))


def test_evidence_whose_mean_is_not_the_aggregate_breaks_the_contract() -> None:
    class Off(Metric):
        """The mean score, with evidence that is off by one."""

        name, needs, higher_is_better = "off", ("scores",), True

        def __init__(self) -> None:
            self.seen: list[float] = []

        def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
            self.seen += explanation.scores[:, 0].tolist()

        def compute(self) -> dict[str, Scores]:
            value = sum(self.seen) / len(self.seen)
            images = [str(i) for i in range(len(self.seen))]
            return {"off": Scores(value=value, images=images, evidence=[each + 1 for each in self.seen])}

    with pytest.raises(ContractError, match=r"a run refuses its scores: .*the mean of its evidence per image is"):
        check_metric(Off(), *toy_scene())
