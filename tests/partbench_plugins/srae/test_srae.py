"""srae, nn, sae and cae: what each of them is, on planted activations and on a toy task."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from partbench import InputError
from partbench_plugins.srae.cae import Cae
from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.nn import Nn
from partbench_plugins.srae.sae import Sae
from partbench_plugins.srae.srae import Srae, degenerate

from ..toys import HIDDEN, planted_task, toy_task

SMALL = {"hidden": (32, 16), "learning_rate": 3e-3, "epochs": 12, "batch_size": 32}
FAMILY = (Srae, Nn, Sae, Cae)


def small(cls, **options):
    """An explainer that fits in a moment, from one start only."""
    return cls(**SMALL | ({"retries": 0} if issubclass(cls, Srae) else {}) | options)


def factors(count: int = 240, latent: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Independent factors >= 0 and Z, a positive mixture of them."""
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(count, latent, generator=generator).relu()
    return latents, latents @ torch.rand(latent, HIDDEN, generator=generator)


def planted(folder: Path, seed: int = 0):
    latents, z = factors(seed=seed)
    logits = 3 * latents[:, 0] - 2 * latents[:, 1] - 1
    return planted_task(folder, z, lambda _: logits), z, logits


def predicted(explainer, z: torch.Tensor) -> torch.Tensor:
    x_layer = explainer._x_layer
    return x_layer.encoder(z) @ x_layer.concepts.weights + x_layer.concepts.intercept


@pytest.mark.parametrize("cls", [Srae, Nn, Sae])
def test_a_logit_linear_in_two_of_three_planted_factors_is_recovered(cls, tmp_path: Path):
    task, z, logits = planted(tmp_path)
    explainer = small(cls, epochs=80)
    explainer.fit(task.training)
    assert (predicted(explainer, z) - logits).abs().mean() < 0.2 * logits.std()


@pytest.mark.parametrize("cls", FAMILY)
def test_contributions_and_the_bias_make_the_logit(cls, tmp_path: Path):
    task = toy_task(tmp_path)
    explainer = small(cls)
    explainer.fit(task.training)
    explanation = explainer.explain(task.batch("test", range(6)).images)
    bias = explanation.logits - explanation.contributions.sum(1)
    concepts = explainer._x_layer.concepts
    torch.testing.assert_close(bias, torch.full((6,), concepts.intercept), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(explanation.contributions, explanation.scores * concepts.weights)


def test_z_is_taken_in_its_own_units_after_training(tmp_path: Path):
    latents, z = factors()
    found = []
    for scale in (1.0, 128.0):  # a power of two, so that rounding is alike
        explainer = small(Srae, epochs=4)
        explainer.fit(planted_task(tmp_path / str(scale), z * scale, lambda _: latents[:, 0]).training)
        found.append(predicted(explainer, z * scale))
    torch.testing.assert_close(*found)


def test_standardised_logits_are_mapped_back(tmp_path: Path):
    task, z, logits = planted(tmp_path)
    explainer = small(Nn, epochs=40, standardise=True)
    explainer.fit(task.training)
    assert (predicted(explainer, z) - logits).abs().mean() < 0.2 * logits.std()


def test_cae_trains_its_encoder_without_the_logit_and_srae_with_it(tmp_path: Path):
    latents, z = factors()
    for cls, alike in ((Cae, True), (Srae, False)):
        weights = []
        for column in (0, 1):
            explainer = small(cls)
            logits = 3 * latents[:, column]
            explainer.fit(planted_task(tmp_path / f"{cls.name}{column}", z, lambda _, logits=logits: logits).training)
            weights.append(explainer._x_layer.encoder[0].weight)
        assert torch.equal(*weights) is alike


def spied(cls, learned: list[XLayerNetwork]):
    """The class, noting the networks it learns."""

    class Spied(cls):
        def learn(self, examples):
            learned.append(super().learn(examples))
            return learned[-1]

    return Spied


def test_more_weight_on_reconstruction_rebuilds_z_better(tmp_path: Path):
    task, z, _ = planted(tmp_path)
    learned: list[XLayerNetwork] = []
    for beta in (0.0, 10.0):
        small(spied(Sae, learned), beta=beta, epochs=24).fit(task.training)
    scaled = z / z.square().mean().sqrt()
    with torch.no_grad():  # encoders take Z as it is, decoders give it scaled
        errors = [float((network(z).reconstruction - scaled).square().mean()) for network in learned]
    assert errors[1] < 0.7 * errors[0]


def test_nn_has_no_decoder(tmp_path: Path):
    learned: list[XLayerNetwork] = []
    small(spied(Nn, learned)).fit(toy_task(tmp_path).training)
    assert learned[0].decoder is None


def test_srae_without_its_two_terms_predicts_as_well_as_nn(tmp_path: Path):
    task, z, logits = planted(tmp_path)
    for explainer in (small(Srae, beta=0.0, eta=0.0, epochs=30), small(Nn, epochs=30)):
        explainer.fit(task.training)
        assert (predicted(explainer, z) - logits).abs().mean() < 0.2 * logits.std()


def test_pull_away_makes_x_features_more_orthogonal(tmp_path: Path):
    task, z, _ = planted(tmp_path)
    overlaps = []
    for eta in (0.0, 20.0):
        explainer = small(Srae, eta=eta, n=3)
        explainer.fit(task.training)
        features = torch.nn.functional.normalize(explainer._x_layer.encoder(z), dim=0)
        overlaps.append(float((features.T @ features).square().sum() - features.square().sum()))
    assert overlaps[1] < 0.7 * overlaps[0]


@pytest.mark.parametrize(
    ("contributions", "expected"),
    [
        ([5.0, 2.0, -1.0], False),
        ([2.0, 5.0], False),
        ([5.0, 1.0, 1.0], True),
        ([5.0, -1.0, -4.0], True),
        ([-1.0, -2.0], True),
        ([0.0, 0.0], True),
        ([3.0], True),
    ],
)
def test_degenerate_means_one_dominant_contribution_or_none(contributions: list[float], expected: bool):
    assert degenerate(torch.tensor(contributions)) is expected


def test_a_degenerate_result_is_trained_again_with_changed_weights_up_to_the_number_of_retries(tmp_path: Path):
    tried = []

    class Spied(Srae):
        def _attempt(self, examples, beta, eta):
            tried.append((beta, eta))
            return super()._attempt(examples, beta, eta)

    explainer = small(Spied, epochs=2, n=1, beta=10.0, eta=5.0, retries=3)  # one x-feature has no second
    explainer.fit(toy_task(tmp_path).training)
    assert tried == [pytest.approx((10 * 1.2**r, 5 * 0.8**r)) for r in range(4)]
    assert explainer.report()["retries"] == 3
    assert explainer.report()["degenerate"] == 1


def test_a_sound_result_is_not_trained_again(tmp_path: Path):
    task, *_ = planted(tmp_path)
    explainer = small(Srae, eta=0.0, nonnegative=True, retries=5, n=12)
    explainer.fit(task.training)
    assert explainer.report()["degenerate"] == 0
    assert explainer.report()["retries"] < 5


def test_the_report_counts_living_and_contributing_x_features(tmp_path: Path):
    task = toy_task(tmp_path)
    explainer = small(Srae)
    explainer.fit(task.training)
    rows = torch.nonzero(task.positive(task.training.labels)).flatten().tolist()
    explanation = explainer.explain(task.batch("train", rows).images)
    assert explainer.report()["alive"] == (explanation.scores.mean(0) > 0).sum()
    assert explainer.report()["positively_contributing"] == (explanation.contributions.mean(0) > 0).sum()


def test_the_weight_of_positives_balances_the_two_groups(tmp_path: Path):
    weight = Srae()._weights(torch.arange(100) < 10)
    assert float(weight[:10].sum()) == pytest.approx(float(weight[10:].sum()))
    assert float(weight.mean()) == pytest.approx(1)
    extreme = Srae()._weights(torch.arange(1000) < 1)
    assert float(extreme[0] / extreme[1]) == pytest.approx(50)
    assert float(Srae(positive_weight=3.0)._weights(torch.arange(4) < 1)[0]) == pytest.approx(2)


def test_options_show_the_profile_as_resolved_and_explicit_ones_win():
    paper, released = dataclasses.asdict(Srae()), dataclasses.asdict(Srae(profile="released", beta=3.0))
    assert (paper["beta"], paper["eta"], paper["pull_away_along"]) == (15, 5, "features")
    assert (released["beta"], released["eta"], released["pull_away_along"]) == (3, 10, "images")
    assert released["retries"] == 5
    assert Srae(eta=0.0).eta == 0


def test_the_released_profile_pretrains_and_fits(tmp_path: Path):
    task, z, logits = planted(tmp_path)
    mild = {"beta": 1.0, "eta": 1.0}  # those of the profile are for thousands of images, and kill x-features here
    explainer = Srae(profile="released", hidden=(32, 16), epochs=60, batch_size=10, retries=0, **mild)
    explainer.fit(task.training)
    assert (predicted(explainer, z) - logits).abs().mean() < 0.5 * logits.std()


def test_the_released_profile_trains_on_z_as_it_is_and_on_all_images_alike(tmp_path: Path):
    task, z, logits = planted(tmp_path)
    seen = []

    class Seen(Srae):
        def learn(self, examples):
            seen.append(examples)
            return super().learn(examples)

    for profile in ("released", "paper"):
        small(Seen, profile=profile, epochs=1, pretrain_epochs=0).fit(task.training)
    released, paper = seen
    assert torch.equal(released.z, z)
    assert torch.equal(released.logits, logits)
    assert torch.equal(released.weight, torch.ones(len(z)))
    assert float(paper.z.square().mean()) == pytest.approx(1)
    assert float(paper.weight.std()) > 0


def test_the_released_profile_starts_from_pretrained_layers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    task, *_ = planted(tmp_path)
    monkeypatch.setattr(XLayerNetwork, "centre", lambda *_, **__: pytest.fail("the start was centred"))
    monkeypatch.setattr("partbench_plugins.srae.srae.regress", lambda *_: pytest.fail("the predictor was solved for"))
    small(Srae, profile="released", epochs=1, pretrain_epochs=1).fit(task.training)
    with pytest.raises(pytest.fail.Exception, match="solved for"):
        small(
            Srae, profile="released", epochs=1, pretrain_epochs=1, predictor_start="least_squares"
        ).fit(task.training)  # fmt: skip


@pytest.mark.parametrize(("judged_on", "share"), [("all", 1.0), ("category", 0.25)])
def test_a_result_is_judged_on_the_category_or_on_all_images(
    judged_on: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    task, z, _ = planted(tmp_path)
    judged = []
    monkeypatch.setattr(
        "partbench_plugins.srae.srae.mean_contributions",
        lambda network, examples: judged.append(len(examples)) or torch.ones(2),
    )
    small(Srae, judged_on=judged_on, epochs=1).fit(task.training)
    assert judged == [pytest.approx(share * len(z), abs=0.06 * len(z) * (share < 1))]


def test_a_wrong_option_is_named():
    with pytest.raises(InputError, match="srae: profile is 'printed', expected one of paper, released"):
        Srae(profile="printed")
    with pytest.raises(InputError, match="pull_away_along is 'rows'"):
        Srae(pull_away_along="rows")
    with pytest.raises(InputError, match="nn: n is 0, expected greater than or equal to 1"):
        Nn(n=0)
    with pytest.raises(InputError, match="nonnegative"):
        Cae(nonnegative=True)
