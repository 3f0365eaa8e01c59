"""Opening tasks by name: which names there are, what stars stand for, and what is said of wrong ones."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from partbench import Dataset, InputError, Performer, PerformerPlugin, open_task
from partbench.opening import Workbench
from partbench.registry import Entry, Registry, load
from partbench.task_name import TaskName

CATEGORIES = ("bird", "cat", "cow", "dog", "horse", "sheep")
ATTRIBUTES = ["fauna/attribute-wild", "fauna/attribute-tame", "fauna/attribute-ornate", "fauna/attribute-young"]
LOGITS = [f"fauna/multi:{name}" for name in CATEGORIES]
SINGLE = [f"fauna/{name}" for name in CATEGORIES]
REGISTRY: Registry = load()


@pytest.fixture
def workbench() -> Workbench:
    return Workbench(REGISTRY)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fauna/multi", TaskName("fauna", "multi", "multi", "small_vgg")),
        ("fauna/multi:bird", TaskName("fauna", "logit", "bird", "small_vgg")),
        ("fauna/multi:bird@timm:resnet18,weights=x", TaskName("fauna", "logit", "bird", "timm:resnet18,weights=x")),
        ("fauna/multi:bird@lite0_head", TaskName("fauna", "logit", "bird", "lite0_head")),
        ("fauna/attribute-wild", TaskName("fauna", "attribute", "attribute-wild", "small_vgg_attributes")),
        ("fauna/attribute-wild@lite0_head", TaskName("fauna", "attribute", "attribute-wild", "lite0_head")),
        ("animal_part/multi:cat", TaskName("animal_part", "logit", "cat", "lite0_head")),
        ("fauna/bird", TaskName("fauna", "single", "bird", "small_vgg")),
        ("animal_part/cat:others@lite0", TaskName("animal_part", "others", "cat", "lite0")),
    ],
)
def test_a_name_is_read_with_the_performer_it_means(workbench: Workbench, name: str, expected: TaskName) -> None:
    assert workbench.parse(name) == expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["fauna/multi:*"], LOGITS),
        (["fauna/multi:*@lite0_head"], [f"{name}@lite0_head" for name in LOGITS]),
        (["fauna/multi:c*"], ["fauna/multi:cat", "fauna/multi:cow"]),
        (["fauna/multi*"], [*LOGITS, "fauna/multi"]),
        (["fauna/attribute-*"], ATTRIBUTES),
        (["fauna/**"], [*LOGITS, "fauna/multi", *SINGLE, *ATTRIBUTES]),
        (["fauna/*"], SINGLE),
        (["fauna/*@lite0_head"], [f"{name}@lite0_head" for name in SINGLE]),
        (["fauna/c*"], ["fauna/cat", "fauna/cow"]),
        (["fauna/*:others"], [f"{name}:others" for name in SINGLE]),
        (["fauna/c*:others", "fauna/cat"], ["fauna/cat:others", "fauna/cow:others", "fauna/cat"]),
        (["fauna/multi:cat", "fauna/multi:c*", "fauna/multi:cat"], ["fauna/multi:cat", "fauna/multi:cow"]),
        (["fauna/multi", "animal_part/multi:dog"], ["fauna/multi", "animal_part/multi:dog"]),
        ([], []),
    ],
)
def test_stars_stand_for_what_they_match_and_nothing_is_named_twice(
    workbench: Workbench, patterns: list[str], expected: list[str]
) -> None:
    assert workbench.expand(patterns) == expected


def mistake(workbench: Workbench, *names: str) -> str:
    with pytest.raises(InputError) as error:
        workbench.expand(names)
    assert "\n" not in str(error.value)
    return str(error.value)


def without_random_images() -> Registry:
    """The registry with a dataset `bare` that has no random images."""

    class Bare(Dataset):
        """Animals and nothing else."""

        name, default_performer = "bare", "lite0_head"
        classes = categories = ("cat", "dog")

        def __init__(self, root: Path | None, size: int) -> None:
            super().__init__(root, size)
            whole = REGISTRY.datasets["fauna"].cls(None, size)
            self.train, self.test = whole.train, whole.test

    return replace(REGISTRY, datasets=REGISTRY.datasets | {"bare": Entry("bare", Bare, "o", "d", "1")})


def test_a_single_task_without_random_images_is_refused_and_left_out_of_patterns(tmp_path: Path) -> None:
    workbench = Workbench(without_random_images())
    for name in ("bare/cat", "bare/dog:others", "bare/*", "bare/c*:others"):
        assert mistake(workbench, name).endswith("bare has no random images to tell a category from; name a folder "
                                                 "of them with --other FOLDER")  # fmt: skip
    with pytest.warns(UserWarning, match="skipped bare/cat and 1 more: bare has no random images"):
        assert workbench.expand(["bare/**"]) == ["bare/multi:cat", "bare/multi:dog", "bare/multi"]
    assert Workbench(without_random_images(), other=tmp_path).expand(["bare/*"]) == ["bare/cat", "bare/dog"]


def test_a_folder_of_random_images_that_no_task_reads_is_a_warning(tmp_path: Path) -> None:
    workbench = Workbench(without_random_images(), other=tmp_path)
    for unread in (["fauna/cat", "fauna/*:others"], ["bare/multi:cat"]):
        with pytest.warns(UserWarning, match=f"--other {tmp_path} is not used"):
            workbench.expand(unread)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        workbench.expand(["fauna/cat", "bare/dog:others"])


def test_a_folder_gives_the_random_images_of_a_dataset_without_and_of_no_other(tmp_path: Path) -> None:
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((30, 50, 3), 40 * i, np.uint8))
    workbench = Workbench(without_random_images(), other=tmp_path)
    view = workbench.dataset("bare", 24, "cat")
    assert view.test.batch([len(view.test) - 1]).ids == ("other/3.png",)
    assert len(view.train) == 300 + 2
    before = view.train.fingerprint
    cv2.imwrite(str(tmp_path / "4.png"), np.zeros((9, 9, 3), np.uint8))
    assert Workbench(workbench.registry, other=tmp_path).dataset("bare", 24, "cat").train.fingerprint != before
    own = workbench.dataset("fauna", 24, "cat")
    assert own.test.batch([len(own.test) - 1]).ids[0].startswith("fauna-other")


def test_a_performer_of_many_outputs_is_refused_in_a_single_task(workbench: Workbench) -> None:
    class Many(PerformerPlugin):
        """The network that tells all categories apart, whatever it is opened for."""

        name, input_size = "many", 64

        @staticmethod
        def open(dataset: Dataset, device: torch.device) -> Performer:
            return REGISTRY.performers["small_vgg"].cls.open(REGISTRY.datasets["fauna"].cls(None, 64), device)

    performers = REGISTRY.performers | {"many": Entry("many", Many, "o", "d", "1")}
    workbench = Workbench(replace(REGISTRY, performers=performers))
    with pytest.raises(InputError, match="many has 6 outputs, expected one for fauna/cat, the log-odds"):
        workbench.task("fauna/cat@many")


def test_single_tasks_have_a_performer_activations_and_a_version_of_their_own(workbench: Workbench) -> None:
    tasks = [workbench.task(name) for name in ("fauna/cat", "fauna/cat:others", "fauna/cow", "fauna/multi:cat")]
    assert [task.name for task in tasks] == ["fauna/cat", "fauna/cat:others", "fauna/cow", "fauna/multi:cat"]
    assert [task.form for task in tasks] == ["single", "others", "single", "logit"]
    assert [task.version for task in tasks] == ["2", "2", "2", "1"]
    assert len({task.performer.fingerprint for task in tasks}) == 4
    assert len({task.activation_cache.item("train", "logits") for task in tasks}) == 4
    assert workbench.task("fauna/cat").activation_cache is tasks[0].activation_cache
    assert tasks[0].performer.outputs == ("cat",)
    assert (len(tasks[0].training.labels), len(tasks[1].training.labels)) == (1300, 2800)
    assert workbench.resized(tasks[1], 32).test.labels.tolist() == tasks[1].labels("test").tolist()


def test_unknown_names_are_answered_with_the_nearest(workbench: Workbench) -> None:
    assert (
        mistake(workbench, "fauna/multi:brid") == "no task named 'fauna/multi:brid'; did you mean 'fauna/multi:bird'?"
    )
    assert "did you mean 'fauna/attribute-wild'?" in mistake(workbench, "fauna/attribute-wlid")
    assert "no dataset named 'fuana'; did you mean 'fauna'?" in mistake(workbench, "fuana/multi")
    assert "no dataset named 'fuana'" in mistake(workbench, "fuana/multi:*")
    assert "no performer named 'lite0_haed'; did you mean 'lite0_head'?" in mistake(workbench, "fauna/multi@lite0_haed")


def test_a_dataset_alone_is_answered_with_its_tasks(workbench: Workbench) -> None:
    said = mistake(workbench, "fauna")
    assert said.startswith("task 'fauna' does not say what is explained; one of: fauna/multi:bird, ")
    assert all(name in said for name in (*LOGITS, "fauna/multi", *ATTRIBUTES))


def test_a_star_that_matches_nothing_is_answered_with_what_there_is(workbench: Workbench) -> None:
    assert mistake(workbench, "fauna/multi:z*").startswith(
        "no task matches 'fauna/multi:z*'; known: fauna/multi:bird, "
    )


def test_opening_a_task_of_another_performer_gives_back_the_memory_of_the_first(workbench: Workbench) -> None:
    first = workbench.task("fauna/multi").activation_cache
    values = first.of_split("test", "logits").clone()
    mapped = weakref.ref(first.of_split("test", "logits"))
    workbench.task("fauna/multi:bird")  # of the same performer
    assert mapped() is not None
    workbench.task("fauna/cow")
    assert mapped() is None
    assert torch.equal(first.of_split("test", "logits"), values)


def test_dataset_and_performer_are_opened_once_for_all_their_tasks(workbench: Workbench) -> None:
    bird, cat, all_of_them = map(workbench.task, ("fauna/multi:bird", "fauna/multi:cat@small_vgg", "fauna/multi"))
    assert bird.activation_cache is cat.activation_cache is all_of_them.activation_cache
    wild, young = map(workbench.task, ("fauna/attribute-wild", "fauna/attribute-young"))
    assert wild.dataset.dataset is young.dataset.dataset
    assert wild.dataset.dataset is not bird.dataset


def test_a_task_on_its_default_performer_has_a_name_without_it(workbench: Workbench) -> None:
    assert workbench.task("fauna/multi:cat@small_vgg").name == "fauna/multi:cat"
    assert workbench.task("fauna/attribute-wild").name == "fauna/attribute-wild"


def test_a_performer_that_cannot_serve_the_task_is_refused(workbench: Workbench) -> None:
    with pytest.raises(InputError, match="small_vgg has no output for attribute-wild"):
        workbench.task("fauna/attribute-wild@small_vgg")


def test_steps_that_take_long_tell_whoever_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    told: list[str] = []
    workbench = Workbench(REGISTRY, progress=lambda what, done, total: told.append(what))
    workbench.task("fauna/multi:bird").training.progress("a step", 1, 2)
    assert "a step" in told


@pytest.mark.parametrize("folder", ["animal_part", "animal-part", "."])
def test_data_lie_in_the_root_or_in_a_folder_of_the_datasets_name(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    assert Workbench(REGISTRY, tmp_path).root_of("animal_part") == place
    assert Workbench(REGISTRY).root_of("animal_part") is None


def test_the_folder_of_data_is_that_given_or_of_the_environment_or_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('[data]\nanimal_part = "/noted"\nfauna = "/unread"\n')
    monkeypatch.setenv("PARTBENCH_CONFIG", str(tmp_path / "config.toml"))
    assert Workbench(REGISTRY).root_of("animal_part") == Path("/noted")
    assert Workbench(REGISTRY).root_of("fauna") is None
    monkeypatch.setenv("PARTBENCH_DATA", str(tmp_path))
    assert Workbench(REGISTRY).root_of("animal_part") == tmp_path
    assert Workbench(REGISTRY, Path("/given")).root_of("animal_part") == Path("/given")


def test_categories_that_the_folder_has_no_images_of_are_left_out_of_patterns_and_refused_by_name(
    tmp_path: Path,
) -> None:
    class Partial(Dataset):
        """Animals of which a folder names some."""

        name, default_performer, needs_root = "partial", "lite0_head", True
        classes = categories = ("cat", "cow", "dog")

        @classmethod
        def categories_in(cls, root: Path | None) -> tuple[str, ...]:
            assert root is not None
            return tuple((root / "there").read_text().split())

    registry = replace(REGISTRY, datasets=REGISTRY.datasets | {"partial": Entry("partial", Partial, "o", "d", "1")})
    (tmp_path / "there").write_text("cat dog")
    workbench = Workbench(registry, tmp_path, other=tmp_path)
    assert workbench.expand(["partial/multi:*"]) == ["partial/multi:cat", "partial/multi:dog"]
    assert workbench.expand(["partial/*", "partial/multi"]) == ["partial/cat", "partial/dog", "partial/multi"]
    for name in ("partial/multi:cow", "partial/cow", "partial/cow:others"):
        assert mistake(workbench, name).endswith(f"{name}: {tmp_path} has no images of it; it has cat, dog")
    (tmp_path / "there").unlink()
    assert "dataset partial cannot be opened: FileNotFoundError" in mistake(Workbench(registry, tmp_path), "partial/**")
    assert len(Workbench(registry).expand(["partial/multi:*"])) == 3


def test_open_task_gives_what_an_explainer_is_fitted_on() -> None:
    task = open_task("fauna/multi:bird", device="cpu")
    assert task.name == task.training.name == "fauna/multi:bird"
    assert task.device == torch.device("cpu")
    assert len(task.training.labels) == len(task.dataset.train)
    with pytest.raises(InputError, match="did you mean 'fauna/multi:bird'"):
        open_task("fauna/multi:brid")
    with pytest.raises(InputError, match="--data-root"):
        open_task("animal_part/multi:cat")


def test_open_task_takes_the_data_root_as_text_or_path(tmp_path: Path) -> None:
    for root in (tmp_path / "none", str(tmp_path / "none")):
        with pytest.raises(InputError, match="none"):
            open_task("animal_part/multi:cat", root)


class Vanished(Dataset):
    """A dataset whose disk is gone."""

    name = "vanished"
    default_performer = "small_vgg"
    categories = ("bird",)

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        raise OSError("no such disk")


class Empty(Vanished):
    """A dataset without splits."""

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        super(Vanished, self).__init__(root, size)


@pytest.mark.parametrize(("cls", "reason"), [(Vanished, "OSError: no such disk"), (Empty, "AttributeError: ")])
def test_a_dataset_that_raises_is_one_line(cls: type, reason: str) -> None:
    registry = load()
    registry.datasets["vanished"] = Entry("vanished", cls, "here", "here", "0")
    with pytest.raises(InputError, match=f"dataset vanished cannot be opened: {reason}"):
        Workbench(registry).task("vanished/multi:bird")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: None, "TypeError: open.. returned a NoneType, expected a Performer"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_performer_that_is_none_or_raises_is_one_line(answer, reason: str) -> None:
    class Odd(PerformerPlugin):
        name = "odd"
        input_size = 64
        open = staticmethod(lambda dataset, device: answer())

    registry = load()
    registry.performers["odd"] = Entry("odd", Odd, "here", "here", "0")
    with pytest.raises(InputError, match=f"performer odd for fauna cannot be opened: {reason}"):
        Workbench(registry).task("fauna/multi:bird@odd")
