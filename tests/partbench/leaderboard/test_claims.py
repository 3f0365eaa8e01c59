from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_results import INSTABILITY, ORDINARY, Values, cells, evidence, frame, planted

from partbench.functional.statistics import holm
from partbench.leaderboard.claims import ledger
from partbench.leaderboard.claims_measured import MeasuredClaim
from partbench.leaderboard.claims_on_boards import command
from partbench.leaderboard.claims_stated import Printed, stated
from partbench.leaderboard.ledger_line import NOT_RUN, VERDICTS, LedgerLine, ledger_table, with_cards

Rows = list[dict[str, Any]]
WELL = {"balanced_accuracy": 0.9}
OPTIONS = "interp_cnn (mask=true)"


def filters(interpretable: float, ordinary: float = 0.15, metric: str = INSTABILITY, **changes: Any) -> Rows:
    """Interpretable and ordinary networks with these values, which seeds change a little."""

    def about(value: float) -> Values:
        return lambda t, s: {metric: value + 0.001 * s, **WELL}

    changes = {"binary": True, **changes}
    return cells("interp_cnn", about(interpretable), **changes) + cells(ORDINARY, about(ordinary), **changes)


def line(rows: Rows, claim: str = "icnn-instability", board: str = "fauna/*", role: str = "claim") -> LedgerLine:
    return line_of(ledger(*planted(rows)), claim, board, role)


def line_of(lines: list[LedgerLine], claim: str, board: str, role: str = "claim") -> LedgerLine:
    [found] = [line for line in lines if (line.claim.id, line.board, line.role) == (claim, board, role)]
    return found


def number(line: LedgerLine) -> MeasuredClaim:
    assert line.measured is not None
    return line.measured


def published(line: LedgerLine) -> Printed:
    assert line.published is not None
    return line.published


def test_a_planted_effect_in_the_claimed_direction_holds() -> None:
    found = line(filters(0.10))
    assert (found.verdict, found.unit) == ("holds", "ratio")
    assert number(found).value == pytest.approx(0.101 / 0.151)
    assert number(found).low < number(found).value < number(found).high
    assert published(found).low < number(found).value < published(found).high
    assert (found.seeds, found.tasks, found.images) == ("0 1 2", ("t0", "t1", "t2", "t3"), 200)


@pytest.mark.parametrize(("value", "size"), [(0.14, "weaker than published"), (0.03, "stronger than published")])
def test_the_size_of_an_effect_is_told_apart_from_its_direction(value: float, size: str) -> None:
    found = line(filters(value))
    assert (found.verdict, found.size) == ("holds", size)


def test_a_planted_effect_in_the_opposite_direction_does_not_hold() -> None:
    found = line(filters(0.20))
    assert (found.verdict, found.size) == ("does not", "")
    assert number(found).value == pytest.approx(0.201 / 0.151)


def test_a_single_training_in_the_opposite_direction_says_nothing_against_a_claim() -> None:
    found = line(filters(0.20, seeds=1))
    assert found.verdict == "setting not reproduced"
    assert found.lacks == "surely in the opposite direction, but in one training"


@pytest.mark.parametrize(("dataset", "verdict"), [("cub", "does not"), ("animal_part", "setting not reproduced")])
def test_over_how_many_parts_maps_spread_is_not_told_by_data_with_two(dataset: str, verdict: str) -> None:
    rows = [row for name, spread in (("srae", 1.2), ("excitation_bp", 1.0)) for row in
            cells(name, lambda t, s, spread=spread: {"locality": spread + 0.001 * s, "alive": 4.0, **WELL},
                  dataset=dataset)]  # fmt: skip
    found = line(rows, "srae-excitation-locality", f"{dataset}/multi:*")
    assert found.verdict == verdict
    assert ("2 parts" in found.lacks) == (dataset == "animal_part")


def test_the_claimed_direction_may_be_the_worse_one() -> None:
    less = filters(0.90, 0.95, metric="accuracy")
    assert line(less, "icnn-accuracy").verdict == "holds"
    assert number(line(less, "icnn-accuracy")).value == pytest.approx(-0.05)
    assert line(filters(0.95, 0.90, metric="accuracy"), "icnn-accuracy").verdict == "does not"


def test_without_an_effect_nothing_is_said() -> None:
    found = line(filters(0.15))
    assert (found.verdict, found.p_adjusted) == ("not separated", pytest.approx(1))


def test_a_claim_without_results_tells_the_command_that_makes_them() -> None:
    found = line([])
    assert (found.verdict, found.lacks) == ("not run", f"not run: interp_cnn, {ORDINARY}")
    assert found.command == (
        "bench run --plugin interp_cnn --plugin top_conv -o top_conv.network=ordinary --task 'fauna/*'"
        " --seed 0 --seed 1 --seed 2"
    )
    assert found.measured is None
    assert found.cells == ()
    assert line([], board="animal_part/*").command.endswith("--data-root FOLDER")
    half = line(cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1}, binary=True))
    assert half.lacks == f"not run: {ORDINARY}"


def test_a_command_on_a_board_of_one_task_asks_for_five_seeds() -> None:
    assert command(["srae"], "fauna/multi").count("--seed") == 5


def test_the_data_of_the_paper_are_asked_for_though_nobody_ran_them() -> None:
    table = ledger(*planted([]))
    found = line_of(table, "icnn-interpretability", "pascal_part/*")
    assert found.lacks == f"not run: interp_cnn, {ORDINARY}"
    assert found.command.endswith("--task 'pascal_part/*' --seed 0 --seed 1 --seed 2 --data-root FOLDER")


def test_a_metric_that_was_skipped_tells_why() -> None:
    rows = filters(0.1)
    for row in rows:
        if row["metric"] == INSTABILITY and row["explainer"] == "top_conv":
            row |= {"value": np.nan, "low": np.nan, "high": np.nan, "status": "skipped", "reason": "no landmarks"}
    found = line(rows)
    assert (found.verdict, found.lacks) == (
        "setting not reproduced", f"{ORDINARY} has no {INSTABILITY}: no landmarks",
    )  # fmt: skip


def test_every_claim_has_a_line_and_no_two_lines_share_an_id() -> None:
    for rows in ([], [*filters(0.1), *filters(0.1, dataset="animal_part"), *with_options(0.2, 0.1)]):
        table = ledger_table(ledger(*planted(rows)))
        assert set(table["claim"]) == {claim.id for claim in stated().claims}
        assert table["id"].is_unique
        assert set(table["verdict"]) <= {*VERDICTS, NOT_RUN}


def test_the_setting_tells_how_near_it_is() -> None:
    rows = filters(0.1) + filters(0.1, dataset="animal_part") + filters(0.1, dataset="cub", performer="vgg_16")
    table = ledger(*planted(rows))
    found = {board: line_of(table, "icnn-instability", board) for board in ("fauna/*", "animal_part/*", "cub/*")}
    assert {board: line.setting for board, line in found.items()} == {
        "fauna/*": "same kind of task, other data",
        "animal_part/*": "same data, other network",
        "cub/*": "same data and network",
    }
    assert published(found["animal_part/*"]).low == pytest.approx(0.085 / 0.144, abs=0.001)
    assert found["cub/*"].on == "cub (alexnet, vgg_16, vgg_m, vgg_s)"


def test_p_is_adjusted_over_all_claims_that_can_be_tested() -> None:
    rows = filters(0.1499, 0.15) + filters(0.10, dataset="animal_part") + filters(0.3, 0.2, "part_interpretability")
    table = ledger(*planted(rows))
    known = [line for line in table if line.measured]
    assert len(known) == 3
    adjusted = holm(np.array([number(line).p for line in known]))
    assert [line.p_adjusted for line in known] == pytest.approx(adjusted.tolist())
    alone = line(filters(0.1499, 0.15))
    assert line_of(table, "icnn-instability", "fauna/*").p_adjusted >= alone.p_adjusted == number(alone).p


def test_claims_of_one_seed_are_marked_and_adjusted_apart() -> None:
    alone = line(filters(0.10, seeds=1))
    assert alone.one_seed
    assert alone.verdict == "holds"
    table = ledger(*planted(filters(0.10, seeds=1) + filters(0.12, dataset="animal_part")))
    assert line_of(table, "icnn-instability", "fauna/*").p_adjusted == number(alone).p
    assert not line_of(table, "icnn-instability", "animal_part/*").one_seed


@pytest.mark.parametrize("value", [0.10, 0.20])
def test_a_network_at_chance_speaks_neither_for_a_claim_nor_against_it(value: float) -> None:
    rows = filters(value)
    for row in rows:
        if row["metric"] == "balanced_accuracy" and row["explainer"] == "interp_cnn":
            row["value"] = 0.51
    found = line(rows)
    assert found.verdict == "setting not reproduced"
    assert found.lacks == "interp_cnn is not above chance (.5): balanced_accuracy 0.510"
    assert pd.isna(found.p_adjusted)
    assert number(found).value == pytest.approx((value + 0.001) / 0.151)
    assert "interp_cnn: balanced_accuracy 0.510" in found.checks


def test_below_nine_tenths_of_the_images_explainers_are_not_comparable() -> None:
    table = frame(filters(0.10))
    images = evidence(table)
    images = images.assign(value=images["value"].where((images["explainer"] != "interp_cnn") | even(images["unit"])))
    found = line_of(ledger(table, images), "icnn-instability", "fauna/*")
    assert (found.verdict, found.images) == ("not comparable", 100)
    assert pd.isna(found.p_adjusted)


def even(units: pd.Series) -> pd.Series:
    return units.str.extract(r"(\d+)$")[0].astype(int) % 2 == 0


def with_options(default: float, varied: float, **changes: Any) -> Rows:
    """Networks with default options, and with others on one task."""
    return filters(default) + cells(
        OPTIONS, lambda t, s: {INSTABILITY: varied + 0.001 * s, **WELL}, tasks=1, binary=True, **changes
    )


def test_other_options_stand_beside_the_defaults_on_the_same_tasks() -> None:
    found = line(with_options(0.12, 0.10), role="option")
    assert (found.explainer, found.other, found.tasks) == (OPTIONS, ORDINARY, ("t0",))
    assert number(found).value == pytest.approx(0.101 / 0.151)
    assert found.defaults is not None
    assert found.defaults.value == pytest.approx(0.121 / 0.151)
    assert line(with_options(0.12, 0.10, control="ablation"), role="ablation").explainer == OPTIONS


@pytest.mark.parametrize(("varied", "sure"), [(0.10, "surely"), (0.148, "not surely")])
def test_a_claim_that_other_options_bring_to_its_side_is_not_said_to_fail(varied: float, sure: str) -> None:
    found = line(with_options(0.20, varied))
    assert found.verdict == "setting not reproduced"
    assert found.lacks == f"it depends on options; on the claimed side: {OPTIONS}, {sure}"


def test_options_that_stay_on_the_other_side_and_ablations_excuse_nothing() -> None:
    assert line(with_options(0.20, 0.19)).verdict == "does not"
    assert line(with_options(0.20, 0.10, control="ablation")).verdict == "does not"


def test_a_claim_that_holds_names_options_with_which_it_surely_does_not() -> None:
    found = line(with_options(0.12, 0.20))
    assert (found.verdict, found.turned_by) == ("holds", OPTIONS)
    assert found.told == "holds, but depends on options"
    assert line(with_options(0.12, 0.10)).told == "holds"


def test_options_that_do_not_surely_turn_a_claim_are_not_named() -> None:
    assert line(with_options(0.12, 0.1512)).told == "holds"
    assert line(with_options(0.12, 0.20, seeds=1)).told == "holds"
    assert line(with_options(0.12, 0.20, control="ablation")).told == "holds"


@pytest.mark.parametrize(("most", "one", "verdict"), [(0.10, 0.20, "holds"), (0.20, 0.10, "does not")])
def test_options_that_do_as_the_defaults_on_the_same_tasks_turn_nothing(most: float, one: float, verdict: str) -> None:
    """Where the default options are on that side, too, it is the tasks that make the difference."""
    rows = cells(
        "interp_cnn", lambda t, s: {INSTABILITY: (most if t else one) + 0.001 * s, **WELL}, tasks=12, binary=True
    )
    rows += cells(ORDINARY, lambda t, s: {INSTABILITY: 0.15 + 0.001 * s, **WELL}, tasks=12, binary=True)
    rows += cells(OPTIONS, lambda t, s: {INSTABILITY: one + 0.001 * s, **WELL}, tasks=1, binary=True)
    table = ledger(*planted(rows))
    option = line_of(table, "icnn-instability", "fauna/*", "option")
    assert option.verdict == ("does not" if verdict == "holds" else "holds")
    assert line_of(table, "icnn-instability", "fauna/*").told == verdict


def test_a_line_has_what_the_card_of_its_metric_says_on_its_data() -> None:
    rows = filters(0.10) + filters(0.10, dataset="animal_part") + filters(0.12, metric=f"{INSTABILITY}@unmasked")
    uses = {(INSTABILITY, "fauna"): "do not use here", (INSTABILITY, "animal_part"): "screens only"}
    table = with_cards(ledger(*planted(rows)), uses)
    assert line_of(table, "icnn-instability", "animal_part/*").card == "screens only"
    for role in ("claim", "reading"):
        found = line_of(table, "icnn-instability", "fauna/*", role)
        assert (found.verdict, found.in_unfit_metric) == ("holds", True)
    assert line_of(table, "icnn-interpretability", "fauna/*").card == ""


def test_options_are_compared_with_what_the_explainer_names_where_that_was_run() -> None:
    partner = "top_conv (after_pool=true,network=ordinary)"
    rows = with_options(0.12, 0.10, compared_with=partner)
    assert line(rows, role="option").other == ORDINARY
    rows += cells(partner, lambda t, s: {INSTABILITY: 0.2, **WELL}, tasks=1, binary=True)
    assert line(rows, role="option").other == partner


def test_other_readings_of_the_metric_are_measured_too() -> None:
    rows = filters(0.10) + filters(0.12, metric=f"{INSTABILITY}@unmasked")
    found = line(rows, role="reading")
    assert (found.claim.metric, found.verdict) == (f"{INSTABILITY}@unmasked", "holds")
    assert number(found).value == pytest.approx(0.121 / 0.151)


def additive(difference: float) -> Rows:
    metric = "accuracy@fitted_threshold"
    rows = cells("additive", lambda t, s: {metric: 0.9 + difference, **WELL}, binary=True)
    return rows + cells("additive_no_prior", lambda t, s: {metric: 0.9, **WELL}, binary=True)


@pytest.mark.parametrize(("difference", "verdict"), [(-0.005, "holds"), (0.05, "holds"), (-0.05, "does not")])
def test_a_claim_of_no_loss_has_a_margin(difference: float, verdict: str) -> None:
    found = line(additive(difference), "additive-accuracy")
    assert (found.verdict, number(found).value) == (verdict, pytest.approx(difference))


@pytest.mark.parametrize(("share", "verdict"), [(0.8, "holds"), (0.2, "does not")])
def test_what_explainers_report_of_themselves_is_tested_over_seeds(share: float, verdict: str) -> None:
    rows = cells("autoencoder", lambda t, s: {"interpretable_share": share + 0.001 * s}, binary=True)
    for row in rows:
        row |= {"higher_is_better": None, "low": np.nan, "high": np.nan}
    found = line(rows, "autoencoder-share")
    assert (found.verdict, found.unit) == (verdict, "value")
    assert (found.seeds, found.tasks) == ("0 1 2", ("t0", "t1", "t2", "t3"))
    assert number(found).value == pytest.approx(share + 0.001)
    assert number(found).low < number(found).value < number(found).high


def test_a_value_is_compared_with_the_bound_of_its_claim() -> None:
    rows = cells("autoencoder", lambda t, s: {"classification_error@difference": 0.02}, binary=True)
    found = line(rows, "autoencoder-error")
    assert (found.verdict, found.other, number(found).value) == ("holds", "", pytest.approx(0.02))


def test_a_line_names_the_cells_that_it_is_made_from() -> None:
    rows = filters(0.10, tasks=2, seeds=2) + cells("srae", lambda t, s: {INSTABILITY: 0.1}, binary=True)
    names = [f"{label}-fauna-t{t}-{s}" for label in ("interp_cnn", ORDINARY) for t in range(2) for s in range(2)]
    assert line(rows).cells == tuple(sorted(names))
    table, images = planted(rows)
    placed = ledger(table.assign(file=table["cell"] + ".parquet", asked_at=table["created_at"]), images)
    assert line_of(placed, "icnn-instability", "fauna/*").cells[0] == "interp_cnn-fauna-t0-0.parquet"


def test_explainers_that_beat_no_floor_are_named() -> None:
    floor = cells("centre_map", lambda t, s: {INSTABILITY: 0.12}, binary=True, control="floor")
    assert line(filters(0.10) + floor).floors == ORDINARY


def test_the_ledger_depends_on_the_rows_and_not_on_their_order() -> None:
    table, images = planted(with_options(0.12, 0.10))
    shuffled = ledger(table.sample(frac=1, random_state=0), images.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(ledger_table(ledger(table, images)), ledger_table(shuffled))
