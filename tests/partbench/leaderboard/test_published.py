from __future__ import annotations

import csv
from collections import defaultdict
from importlib.resources import files
from typing import Any

import numpy as np
from planted_results import INSTABILITY, planted, row

from partbench.leaderboard.published import elsewhere, proposed, published, published_pairs, published_ratio, same_data
from partbench.leaderboard.score import Score, scores_of
from partbench.leaderboard.standings import standings


def test_published_pairs_have_the_papers_own_explainer_first_and_no_training_data() -> None:
    table = published_pairs()
    srae = table[table["paper"] == "srae"]
    assert set(srae["explainer"]) == {"srae"}
    assert set(srae["other"]) == {"nn", "sae", "cae", "lasso", "excitation_bp", "z"}
    assert not table["setting"].str.contains("train").any()
    cub = srae[(srae["dataset"] == "cub") & (srae["metric"] == "orthogonality_frobenius")].set_index("other")
    assert cub.loc["nn", ["value", "other_value"]].tolist() == [0.6554, 0.9765]


def test_published_thresholds_and_options_have_our_names() -> None:
    table = published()
    assert {"masked_accuracy", "masked_accuracy@gamma=0.01", "masked_accuracy@gamma=0.3"} <= set(table["metric"])
    assert "alpha=2.5" in set(table.loc[table["explainer"] == "lasso", "variant"])


def test_values_are_published_under_the_variant_that_reads_them_as_the_paper_does() -> None:
    """Entropies in nats, and accuracies at the threshold that is best on the images scored."""
    additive = published()[published()["paper"] == "additive-explainer"]
    assert {"contribution_entropy@nats", "accuracy@fitted_threshold"} <= set(additive["metric"])
    assert not {"contribution_entropy", "accuracy"} & set(additive["metric"])
    assert additive.loc[additive["metric"] == "contribution_entropy@nats", "value"].max() > 1  # no share of ln k
    others = published()[published()["paper"] != "additive-explainer"]
    assert "accuracy" in set(others["metric"])  # with a threshold of 0


def test_a_published_entropy_stands_beside_ours_in_nats_only() -> None:
    assert same_data(one("additive", metric="contribution_entropy", dataset="pascal_part")) == ""
    text = same_data(one("additive", metric="contribution_entropy@nats", dataset="pascal_part"))
    assert float(text.split()[0]) > 1
    assert elsewhere([one("additive", metric="contribution_entropy")]).empty
    found = elsewhere([one("additive", metric="contribution_entropy@nats")])
    assert (found["published"] > 1).all()
    assert len(found) >= 2


def one(explainer: str, task: str = "{}", **changes: Any) -> Score:
    """The standing of an explainer on cat and dog; `task` is the pattern of their names."""
    where = {"metric": "location_instability", "dataset": "fauna", **changes}
    names = {c: f"{where['dataset']}/{task.format(c)}" for c in ("cat", "dog")}
    table = standings(*planted(row(explainer, c, 0.1, task=name, **where) for c, name in names.items()))
    return scores_of(table)[0]


def test_published_values_stand_beside_ours_only_for_the_same_data() -> None:
    assert same_data(one("interp_cnn")) == ""
    assert same_data(one("srae", dataset="animal_part")) == ""
    table = published()
    table = table[(table["dataset"] == "animal_part") & (table["metric"] == "location_instability")]
    table = table[(table["explainer"] == "interp_cnn") & table["category"].isin(["cat", "dog"])]
    text = same_data(one("interp_cnn", dataset="animal_part"))
    assert text.startswith(f"{table['value'].mean():.3f} (")
    assert "alexnet, vgg_16, vgg_m, vgg_s" in text
    ours = same_data(one("interp_cnn", dataset="animal_part", performer="vgg_16"))
    assert ours == f"{table.loc[table['performer'] == 'vgg_16', 'value'].mean():.3f} (vgg_16)"


def test_published_values_of_binary_networks_stand_beside_binary_tasks_only() -> None:
    assert same_data(one("interp_cnn", "{}", dataset="animal_part")) != ""
    assert same_data(one("interp_cnn", "multi:{}", dataset="animal_part")) == ""
    assert same_data(one("interp_cnn", "{}:others", dataset="animal_part")) == ""


def test_published_values_of_one_logit_of_many_classes_stand_beside_such_logits_only() -> None:
    birds = {"dataset": "cub", "metric": "orthogonality_frobenius"}
    assert same_data(one("srae", "multi:{}", **birds)) != ""
    assert same_data(one("srae", "{}", **birds)) == ""


def test_each_setting_of_each_paper_is_of_a_board_but_for_training_data() -> None:
    with (files("partbench.leaderboard") / "published.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if not row["setting"].endswith("_train")]
    assert 0 < len(rows) - len(kept) < len(kept)
    assert len(published()) == len(kept)
    assert set(published()["board"]) == {"*", "attribute-*", "multi", "multi:*"}
    assert set(published().loc[published()["paper"] == "srae", "board"]) == {"multi:*"}


def test_each_paper_proposes_an_explainer_that_its_tables_have() -> None:
    for paper, rows in published().groupby("paper"):
        assert proposed()[str(paper)] in set(rows["explainer"])


def literal_ratios(metric: str, dataset: str, setting: str) -> list[float]:
    """Interpretable over ordinary, network by network, from the file as it is."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    with (files("partbench.leaderboard") / "published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            wanted = [row[name] for name in ("paper", "metric", "dataset", "setting", "category")]
            if wanted == ["interpretable-cnn", metric, dataset, setting, "mean"]:
                values[row["performer"]][row["explainer"]] = float(row["value"])
    return [of["interp_cnn"] / of["top_conv"] for of in values.values()]


def shown(ratios: list[float], where: str) -> str:
    return f"{np.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) {where}"


def test_published_ratios_are_those_of_the_same_dataset_where_there_are_any() -> None:
    ratios = literal_ratios(INSTABILITY, "animal_part", "single")
    assert 0.59 <= min(ratios) <= max(ratios) < 0.625
    found = published_ratio("interp_cnn", "top_conv", INSTABILITY, "animal_part", "animal_part/*@vgg_16")
    assert found == shown(ratios, "animal_part")
    ratios = literal_ratios("part_interpretability", "pascal_part", "single")
    assert 1.3 < min(ratios) <= max(ratios) < 2.0
    assert published_ratio("interp_cnn", "top_conv", "part_interpretability", "fauna", "fauna/*") == shown(
        ratios, "pascal_part"
    )
    assert published_ratio("autoencoder_cls", "top_conv", INSTABILITY, "fauna", "fauna/*") == ""


def test_published_ratios_of_other_datasets_and_settings_are_named() -> None:
    datasets = ("animal_part", "cub", "pascal_part")
    expected = ", ".join(shown(literal_ratios(INSTABILITY, name, "single"), name) for name in datasets)
    assert published_ratio("interp_cnn", "top_conv", INSTABILITY, "fauna", "fauna/*") == expected
    settings = ("multi_logistic", "multi_softmax")
    expected = ", ".join(
        shown(literal_ratios(INSTABILITY, "pascal_part", name), f"pascal_part {name}") for name in settings
    )
    assert published_ratio("interp_cnn", "top_conv", INSTABILITY, "pascal_part", "pascal_part/multi") == expected
