"""What holds for all explainers of one file and for the family of srae, on a toy task."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from partbench import Explanation, NotApplicable, Task, contrastive_maps
from partbench_plugins.controls.fixed_maps import CentreMap, CornerMap, Uniform
from partbench_plugins.controls.pixel_maps import Colour, Edges
from partbench_plugins.controls.random_maps import RandomMaps
from partbench_plugins.excitation_bp import ExcitationBackprop
from partbench_plugins.lasso import Lasso
from partbench_plugins.srae.cae import Cae
from partbench_plugins.srae.nn import Nn
from partbench_plugins.srae.sae import Sae
from partbench_plugins.srae.srae import Srae
from partbench_plugins.top_conv import TopConv
from partbench_plugins.z import Z

from .toys import CHANNELS, SIDE, toy_performer, toy_task

SMALL = {"hidden": (16, 8), "epochs": 2}
CONCEPTS = {
    "srae": (lambda: Srae(**SMALL), 5),
    "nn": (lambda: Nn(**SMALL), 5),
    "sae": (lambda: Sae(**SMALL), 5),
    "cae": (lambda: Cae(**SMALL), 5),
    "lasso": (lambda: Lasso(features=4), 4),
    "excitation_bp": (ExcitationBackprop, 1),
    "z": (lambda: Z(units=6), 6),
    "top_conv": (TopConv, CHANNELS),
    "random_maps": (RandomMaps, 5),
    "centre_map": (CentreMap, 1),
    "corner_map": (CornerMap, 4),
    "uniform": (Uniform, 5),
    "edges": (Edges, 1),
    "colour": (Colour, 1),
}
ONE_LOGIT = ("srae", "nn", "sae", "cae", "lasso", "excitation_bp", "z")
PREDICTING = ("srae", "nn", "sae", "cae", "lasso")
CLASSIFYING = ("top_conv",)
FLOORS = ("random_maps", "centre_map", "corner_map", "uniform", "edges", "colour")


def explained(name: str, task: Task, rows: range = range(7)) -> Explanation:
    explainer = CONCEPTS[name][0]()
    explainer.fit(task.training)
    return explainer.explain(task.batch("test", rows).images)


@pytest.mark.parametrize("name", CONCEPTS)
def test_the_class_bears_its_name(name: str):
    assert CONCEPTS[name][0]().name == name


@pytest.mark.parametrize("name", CONCEPTS)
def test_maps_and_scores_have_one_entry_per_concept_and_are_finite(name: str, task: Task):
    explanation, k = explained(name, task), CONCEPTS[name][1]
    assert explanation.maps.shape == (7, k, SIDE // 2, SIDE // 2)
    assert explanation.scores.shape == (7, k)
    assert torch.isfinite(explanation.maps).all()
    assert float(explanation.maps.min()) >= 0
    assert float(explanation.maps.max()) > 0
    assert explanation.heatmaps(SIDE, SIDE).shape == (7, k, SIDE, SIDE)
    assert not explanation.maps.requires_grad


@pytest.mark.parametrize("name", CONCEPTS)
def test_only_explainers_that_predict_the_logit_give_contributions(name: str, task: Task):
    explanation = explained(name, task)
    assert explanation.has("logits") is (name in PREDICTING + CLASSIFYING)
    assert explanation.has("contributions") is (name in PREDICTING + FLOORS)
    assert explanation.is_classifier is (name in CLASSIFYING)
    if name in PREDICTING:
        assert explanation.logits.shape == (7,)
        assert explanation.contributions.shape == explanation.scores.shape


@pytest.mark.parametrize("name", CONCEPTS)
def test_the_same_seed_gives_the_same_explanation_and_leaves_the_generator_alone(name: str, task: Task):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = explained(name, task)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    second = explained(name, task)
    assert torch.equal(first.scores, second.scores)
    assert torch.equal(first.maps, second.maps)


@pytest.mark.parametrize("name", ["srae", "nn", "sae", "cae", "z", "random_maps"])
def test_another_seed_gives_another_explanation(name: str, task: Task):
    assert not torch.equal(explained(name, task).maps, explained(name, task.with_seed(1)).maps)


@pytest.mark.parametrize("name", CONCEPTS)
def test_an_image_is_explained_alike_in_any_batch(name: str, task: Task):
    explainer = CONCEPTS[name][0]()
    explainer.fit(task.training)
    whole = explainer.explain(task.batch("test", range(7)).images)
    for rows in (range(3), range(3, 7)):
        part = explainer.explain(task.batch("test", rows).images)
        for field in ("maps", "scores", *(["logits", "contributions"] if name in PREDICTING else [])):
            torch.testing.assert_close(getattr(part, field), getattr(whole, field)[rows.start : rows.stop])


@pytest.mark.parametrize("name", ONE_LOGIT)
def test_an_explainer_of_one_logit_refuses_to_explain_all(name: str, tmp_path: Path):
    with pytest.raises(NotApplicable, match="explains one logit; this task explains all"):
        CONCEPTS[name][0]().fit(toy_task(tmp_path, "multi").training)


@pytest.mark.parametrize("name", ["top_conv", *FLOORS])
def test_what_knows_no_category_also_serves_a_task_that_explains_all(name: str, tmp_path: Path):
    assert explained(name, toy_task(tmp_path, "multi")).maps.shape[1] == CONCEPTS[name][1]


@pytest.mark.parametrize(
    ("name", "role"),
    [("srae", "fc1"), ("lasso", "fc1"), ("z", "fc1"), ("top_conv", "top_conv"), ("random_maps", "target")],
)
def test_a_layer_that_the_performer_lacks_is_named(name: str, role: str, tmp_path: Path):
    with pytest.raises(NotApplicable, match=f"toy has no layer '{role}'"):
        CONCEPTS[name][0]().fit(toy_task(tmp_path, performer=toy_performer(without=[role])).training)


def test_an_explainer_that_was_not_fitted_says_so(task: Task):
    with pytest.raises(RuntimeError, match="before fit"):
        Srae().explain(task.batch("test", range(2)).images)


def test_maps_are_not_computed_before_they_are_asked_for(task: Task, monkeypatch: pytest.MonkeyPatch):
    explanation = explained("srae", task)
    monkeypatch.setattr("partbench_plugins.unit_maps.UnitMaps.maps", lambda *_: pytest.fail("maps were computed again"))
    asked = []
    explainer = CONCEPTS["srae"][0]()
    explainer.fit(task.training)
    monkeypatch.setattr("partbench_plugins.unit_maps.UnitMaps.maps", lambda self, batch: asked.append(len(batch)))
    explainer.explain(task.batch("test", range(4)).images)
    assert asked == []
    assert explanation.maps.shape[0] == 7


def test_maps_of_x_features_are_the_contrastive_maps_through_encoder_and_performer(task: Task):
    explainer = Srae(**SMALL)
    explainer.fit(task.training)
    batch = task.batch("test", range(5))
    x = batch.images.activations("target")
    modules = [task.performer.segment("target", "fc1"), explainer._x_layer.encoder]
    torch.testing.assert_close(explainer.explain(batch.images).maps, contrastive_maps(modules, x))
