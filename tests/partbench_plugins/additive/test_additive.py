from __future__ import annotations

import pytest
import torch
from toys import CHANNELS, toy_task

from partbench import InputError, NotApplicable, Task
from partbench.testing import check_explainer
from partbench_plugins.additive.additive import Additive, AdditiveNoPrior
from partbench_plugins.interp_cnn.interp_cnn import InterpCnn

QUICK = {"epochs": 2}


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> Task:
    return toy_task(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def fitted(task: Task, cls: type[Additive] = Additive, **options) -> Additive:
    explainer = cls(**(QUICK | options))
    explainer.fit(task.training)
    return explainer


def test_it_explains_the_logit_of_the_interpretable_cnn_from_its_masked_maps(task):
    interpretable = InterpCnn()
    interpretable.fit(task.training)
    batch = task.batch("test", range(6))
    theirs, found = interpretable.explain(batch.images), fitted(task).explain(batch.images)
    torch.testing.assert_close(found.explained, theirs.logits)
    torch.testing.assert_close(found.maps, theirs.maps)
    torch.testing.assert_close(found.scores, theirs.maps.sum((2, 3)))
    assert not found.is_classifier


@pytest.mark.parametrize("concepts", ["filters", "outputs"])
def test_contributions_and_bias_add_up_to_the_prediction(task, concepts):
    explainer = fitted(task, concepts=concepts)
    found = explainer.explain(task.batch("test", range(5)).images)
    torch.testing.assert_close(found.contributions.sum(1) + explainer.report()["bias"], found.logits)
    assert found.contributions.shape == (5, CHANNELS if concepts == "filters" else 2)
    assert (float(found.contributions.min()) >= 0) is (concepts == "filters")


def test_without_a_bias_contributions_are_all_of_the_prediction(task):
    found = fitted(task, bias="zero").explain(task.batch("test", range(5)).images)
    torch.testing.assert_close(found.contributions.sum(1), found.logits)


def test_outputs_explain_the_performers_logit_from_its_other_logits(task):
    batch = task.batch("test", range(5))
    found = fitted(task, concepts="outputs").explain(batch.images)
    torch.testing.assert_close(found.explained, task.explained(batch))
    torch.testing.assert_close(found.scores, batch.images.activations("logits")[:, 1:])
    assert found.maps.shape[:2] == (5, 2)


def test_ablating_filters_gives_the_logit_of_the_interpretable_cnn_without_them(task):
    interpretable, batch = InterpCnn(), task.batch("test", range(5))
    interpretable.fit(task.training)
    torch.testing.assert_close(fitted(task).without(batch.images, [0, 3]), interpretable.without(batch.images, [0, 3]))
    assert fitted(task, concepts="outputs").without(batch.images, [0]) is None


def test_part_drops_are_what_the_logit_loses_without_the_filters_of_a_part(task, monkeypatch):
    explainer, batch = fitted(task), task.batch("test", range(5))
    source = explainer._fitted.concepts
    monkeypatch.setattr(source, "parts", torch.tensor([0, 1, 1, -1, 0, 0]))
    monkeypatch.setattr("partbench_plugins.additive.concepts.part_count", lambda task: 3)
    found = explainer.explain(batch.images)
    for part, filters in enumerate(([0, 4, 5], [1, 2], [])):
        torch.testing.assert_close(
            found.part_drops[:, part], found.explained - explainer.without(batch.images, filters)
        )


def test_a_second_fit_takes_the_networks_kept_from_the_first(task, monkeypatch):
    first = fitted(task, learning_rate=2e-3).explain(task.batch("test", range(5)).images)
    for name in ("additive.additive", "interp_cnn.interp_cnn"):
        monkeypatch.setattr(f"partbench_plugins.{name}.train", lambda *_: pytest.fail("trained again"))
    second = fitted(task, learning_rate=2e-3).explain(task.batch("test", range(5)).images)
    assert torch.equal(first.contributions, second.contributions)
    assert first.threshold == second.threshold


def test_baseline_is_the_same_without_prior_loss(task):
    batch = task.batch("test", range(5))
    baseline, same = fitted(task, AdditiveNoPrior), fitted(task, beta=0.0)
    torch.testing.assert_close(baseline.explain(batch.images).contributions, same.explain(batch.images).contributions)
    assert baseline.report()["beta_over_variance"] == 0
    assert not torch.equal(
        baseline.explain(batch.images).contributions, fitted(task).explain(batch.images).contributions
    )


def test_a_baseline_for_pictures_differs_in_nothing_but_the_prior(task):
    baseline = fitted(task, learning_rate=4e-3).baseline()
    assert (baseline.name, baseline.beta, baseline.learning_rate) == ("additive_no_prior", 0.0, 4e-3)
    assert baseline.baseline() is None


def test_a_baseline_for_pictures_is_the_same_whether_or_not_it_was_fitted_before(task):
    images = task.batch("test", range(5)).images
    unasked = fitted(task, learning_rate=6e-3).baseline().explain(images).contributions
    own = fitted(task, AdditiveNoPrior, learning_rate=6e-3).explain(images).contributions
    again = fitted(task, learning_rate=6e-3).baseline().explain(images).contributions
    assert torch.equal(unasked, own)
    assert torch.equal(unasked, again)


def test_only_concepts_that_are_filters_build_on_an_interpretable_cnn(task):
    assert Additive(concepts="filters").builds_on(task.training) == [("interp_cnn", {})]
    assert Additive(concepts="outputs").builds_on(task.training) == []
    assert Additive(concepts="filters").explains(task.training) == ("interp_cnn", {})
    assert Additive(concepts="outputs").explains(task.training) is None


def test_of_a_subset_of_concepts_the_others_contribute_nothing(task):
    found = fitted(task, subset=2).explain(task.batch("test", range(10)).images)
    assert int(found.contributions.any(0).sum()) <= 2
    assert int(fitted(task).explain(task.batch("test", range(10)).images).contributions.any(0).sum()) > 2


def test_report_relates_beta_to_the_variance_of_the_logit(task):
    report = fitted(task, beta=3.0).report()
    assert report["beta_over_variance"] == pytest.approx(3 / report["logit_variance"])


def test_curves_are_read_back_and_end_in_what_is_reported(task):
    first, second = fitted(task), fitted(task)
    assert first.curves() == second.curves()
    assert {name: len(values) for name, values in first.curves().items()} == {"entropy": 2, "deviation": 2}
    report = second.report()
    assert report["held_out_entropy"] == second.curves()["entropy"][-1]
    assert report["held_out_deviation"] == second.curves()["deviation"][-1]
    assert report["training_epochs"] == (2, "training has not settled")


def test_threshold_is_the_best_on_training_images(task):
    explainer = fitted(task)
    found = explainer.explain(task.batch("train", range(120)).images)
    positive = task.positive(task.training.labels)
    hits = {float(cut): int(((found.logits > cut) == positive).sum()) for cut in found.logits}
    assert int(((found.logits > found.threshold) == positive).sum()) >= max(hits.values()) - 1  # maps were kept in half


def test_all_logits_at_once_and_a_lone_output_cannot_be_explained(tmp_path):
    with pytest.raises(NotApplicable, match="one logit"):
        Additive().fit(toy_task(tmp_path, "multi").training)


def test_the_published_network_learns_at_a_lower_rate():
    assert Additive(network="small").learning_rate > Additive(network="resnet152").learning_rate > 0
    assert Additive(network="resnet152", learning_rate=0.1).learning_rate == 0.1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concepts": "units"}, "concepts is 'units', expected one of auto, filters, outputs"),
        ({"beta": -1.0}, "beta is -1.0, expected greater than or equal to 0"),
        ({"network": "vgg"}, "network is 'vgg', expected one of small, resnet152"),
        ({"bias": "none"}, "expected one of learned, zero"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected greater than 0"),
    ],
)
def test_an_impossible_option_is_named(options, said):
    with pytest.raises(InputError, match=said):
        Additive(**options)


def test_contract(task):
    check_explainer(Additive, task, given=QUICK)
