"""check_plugin: the contract of any class, on a task that it builds, for pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.cli.skeleton import class_name, rendered
from partbench.errors import InputError
from partbench.plugin_files import import_file
from partbench.testing import ContractError, check_plugin


def skeleton(kind: str, folder: Path) -> type:
    """The class of a new plugin, whose network, if it has one, is hardly trained."""
    path = folder / "mine.py"
    path.write_text(rendered(kind, "mine")["mine.py"].replace("SEED = ", "SEED = 2, 8, 1e-3, 0  # "))
    found: type = getattr(import_file(path), class_name(kind, "mine"))
    return found


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("explainer", "skipped, since the explanation has no logits: accuracy"),
        ("metric", "tried on 8 images of fauna/multi:bird with an invented explanation"),
        ("dataset", "Mine: 600 train and 150 test images, tried at 64 px"),
        ("performer", "tried on fauna/multi:bird@mine: target conv2, top_conv conv3, fc1 fc1, logits logits"),
    ],
)
def test_plugins_of_bench_new_keep_the_contract(tmp_path: Path, kind: str, note: str) -> None:
    assert any(text.startswith(note) for text in check_plugin(skeleton(kind, tmp_path)))


def test_a_class_of_no_kind_is_refused() -> None:
    with pytest.raises(ContractError, match="is no plugin, expected a subclass of Explainer, Metric"):
        check_plugin(int)


def test_tasks_and_options_that_do_not_exist_are_the_users_mistake(tmp_path: Path) -> None:
    explainer = skeleton("explainer", tmp_path)
    with pytest.raises(InputError, match="did you mean"):
        check_plugin(explainer, task="fauna/multi:brid")
    with pytest.raises(InputError, match="did you mean 'concepts'"):
        check_plugin(explainer, given={"concept": 3})
    assert check_plugin(explainer, given={"concepts": 2})


def test_a_dataset_without_annotations_is_told_which_metrics_it_is_no_use_to(tmp_path: Path) -> None:
    source = rendered("dataset", "mine")["mine.py"].replace("            landmarks=", "            landmarks=None and ")
    (tmp_path / "mine.py").write_text(source)
    notes = check_plugin(import_file(tmp_path / "mine.py").Mine)
    assert any(note.startswith("skipped, since the dataset has no landmarks: location_instability") for note in notes)
