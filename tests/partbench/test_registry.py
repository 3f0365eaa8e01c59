"""Finding plugins: walking, entry points, files; what is broken stays apart, what clashes is named."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from partbench import Dataset, InputError
from partbench.hookspecs import GROUP
from partbench.registry import Broken, Entry, Registry, load

SOURCE = """
from dataclasses import dataclass
from typing import ClassVar
from partbench import Explainer, Explanation, hookimpl

@dataclass
class {cls}(Explainer):
    "An explainer of a test."
    name: ClassVar[str] = "{name}"
    def fit(self, task): ...
    def explain(self, images): return Explanation(scores=images.pixels.mean((2, 3)))

@hookimpl
def {hook}(register):
    register({cls})
"""


def plugin(folder: Path, name: str = "mine", hook: str = "register_explainers") -> Path:
    path = folder / f"{name}_plugin.py"
    path.write_text(SOURCE.format(cls="Mine", name=name, hook=hook))
    return path


def installed(monkeypatch: pytest.MonkeyPatch, *points: importlib.metadata.EntryPoint) -> None:
    monkeypatch.setattr("partbench.hookspecs.entry_points", lambda: list(points))


def test_first_party_plugins_are_found_by_walking_the_packages() -> None:
    registry = load()
    assert {"srae", "nn", "sae", "cae", "lasso", "excitation_bp", "z", "top_conv"} <= registry.explainers.keys()
    assert {"random_maps", "centre_map"} <= registry.explainers.keys()
    assert {"fauna", "animal_part"} <= registry.datasets.keys()
    assert {"small_vgg", "lite0", "lite1", "lite0_head", "timm:NAME", "torchvision:NAME"} <= registry.performers.keys()
    assert {"alexnet", "vgg_m", "vgg_s", "vgg_16", "vgg_19"} <= registry.performers.keys()
    assert len(registry.metrics) >= 8


def test_performers_are_found_by_a_librarys_names_and_with_options() -> None:
    registry = load()
    entry = registry.find("performers", "torchvision:resnet18,size=64,weights=random")
    assert (entry.name, entry.cls.input_size) == ("torchvision:resnet18,weights=random,size=64", 64)
    assert entry.owner == registry.performers["torchvision:NAME"].owner
    assert registry.find("performers", "vgg_16,size=64").cls.builder == "vgg16"
    with pytest.raises(InputError, match="performer small_vgg has no options, found 'small_vgg,size=64'"):
        registry.find("performers", "small_vgg,size=64")
    with pytest.raises(InputError, match="no performer named 'tim:resnet18'"):
        registry.find("performers", "tim:resnet18")
    with pytest.raises(InputError, match="no dataset named 'fauna,size=64'; known"):
        registry.find("datasets", "fauna,size=64")


def test_what_a_performer_raises_for_its_options_is_one_line() -> None:
    class Careless:
        variant = staticmethod(lambda name: {}[name])

    registry = Registry(performers={"careless": Entry("careless", Careless, "owner", "distribution", "1")})
    with pytest.raises(InputError, match="there is no performer 'careless,size=3': KeyError: 'careless,size=3'"):
        registry.find("performers", "careless,size=3")


def test_a_plugin_that_is_left_out_is_broken_with_the_reason_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, importlib.metadata.EntryPoint("deadly", "no_such_module", GROUP))
    assert load(without={"deadly": "killed by signal 9"}).broken == [Broken("deadly", "killed by signal 9")]


def test_plugins_are_announced_before_they_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, importlib.metadata.EntryPoint("absent", "no_such_module", GROUP))
    path, announced = plugin(tmp_path), []
    load([path], announce=announced.append)
    assert announced == ["absent", str(path)]


def test_a_plugin_file_is_loaded_by_path_and_its_version_follows_its_text(tmp_path: Path) -> None:
    path = plugin(tmp_path)
    before = load([path]).explainers["mine"]
    path.write_text(path.read_text() + "\n# changed\n")
    after = load([path]).explainers["mine"]
    assert before.owner == str(path)
    assert before.version != after.version


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no explainer named 'srea'; did you mean 'srae'"):
        load().find("explainers", "srea")


def test_a_file_takes_the_place_of_an_installed_plugin_of_its_name_and_says_so(tmp_path: Path) -> None:
    path = plugin(tmp_path, "srae")
    with pytest.warns(UserWarning, match=r"takes the place of 'srae' \(explainers\) of partbench"):
        registry = load([path])
    assert registry.explainers["srae"].owner == str(path)


def test_two_files_of_one_name_name_both(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"two explainers are named 'mine': .*mine_plugin.py and .*other"):
        load([plugin(tmp_path), plugin(tmp_path / "other")])


def test_a_file_given_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = plugin(tmp_path)
    monkeypatch.chdir(tmp_path)
    registry = load([path, path.name, f"./{path.name}"])
    assert registry.of_file(path.name)["explainers"] == ["mine"]


def test_two_first_party_plugins_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    first_party = ["partbench_plugins.controls.random_maps", "clashing"]
    monkeypatch.setattr("partbench.registry.first_party_modules", lambda: first_party)
    source = SOURCE.format(cls="Clash", name="random_maps", hook="register_explainers")
    clashing = ModuleType("clashing")
    monkeypatch.setitem(sys.modules, "clashing", clashing)
    exec(source.replace("Explainer, Explanation, hookimpl", "Explainer, hookimpl"), vars(clashing))
    with pytest.raises(
        InputError, match=r"two explainers are named 'random_maps': partbench_plugins.controls.random_maps and clashing"
    ):
        load()


def broken_of(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> list[Broken]:
    """What is broken when a distribution with this module is installed; all else must be there."""
    name = f"stranger_{abs(hash(text))}"
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    installed(monkeypatch, importlib.metadata.EntryPoint("stranger", name, GROUP))
    registry = load()
    assert {"srae", "random_maps"} <= registry.explainers.keys()
    assert all("\n" not in broken.error for broken in registry.broken)
    return registry.broken


GOOD = SOURCE.format(cls="Mine", name="mine", hook="register_explainers")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        (GOOD.replace("register(Mine)", "raise ValueError('no')"), "ValueError: no"),
        (GOOD.replace("register(Mine)", "exit()"), "SystemExit"),
        (GOOD.replace("register(Mine)", "register(3)"), "expected a class"),
        (GOOD.replace('"mine"', "None"), "there is none"),
        (GOOD.replace('"mine"', '"my thing"'), "no spaces"),
        (
            GOOD.replace('name: ClassVar[str] = "mine"', 'name: ClassVar[str] = "mine"\n    epochs: int'),
            "epochs lack one",
        ),
        (GOOD.replace("def explain", "def explains"), "explain()"),
        (GOOD.replace('"mine"', '"srae"'), "two explainers are named 'srae': partbench_plugins.srae.srae and stranger"),
    ],
)
def test_an_installed_plugin_that_is_wrong_is_broken_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    (broken,) = broken_of(tmp_path, monkeypatch, text)
    assert broken.plugin == "stranger"
    assert reason in broken.error


def test_of_a_plugin_with_a_good_and_a_bad_class_the_good_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken,) = broken_of(tmp_path, monkeypatch, GOOD + "    register(type('Bad', (Mine,), {'name': 'a b'}))\n")
    assert "class Bad" in broken.error
    assert "mine" in load().explainers
    with pytest.raises(InputError, match="plugin 'stranger' is broken: class Bad"):
        load().find("explainers", "a b")


def test_a_file_with_a_wrong_class_or_without_any_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(GOOD.replace("def fit", "def fits"))
    with pytest.raises(InputError, match=r"wrong.py is broken: class Mine: .*fit\(\)"):
        load([path])
    path.write_text("")
    with pytest.raises(InputError, match="registers nothing"):
        load([path])


def test_an_unknown_hook_is_an_error(tmp_path: Path) -> None:
    path = plugin(tmp_path, hook="register_explainer")
    with pytest.raises(InputError, match="register_explainer"):
        load([path])


def test_an_entry_point_that_fails_is_kept_as_broken_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, importlib.metadata.EntryPoint("bad", "no_such_module_at_all", GROUP))
    registry = load()
    assert [(b.plugin, "No module named" in b.error) for b in registry.broken] == [("bad", True)]
    assert "srae" in registry.explainers
    with pytest.raises(InputError, match="plugin 'bad' is broken"):
        registry.find("explainers", "bad")


def test_an_entry_point_with_an_unknown_hook_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, hook="register_nonsense")
    monkeypatch.syspath_prepend(tmp_path)
    installed(monkeypatch, importlib.metadata.EntryPoint("odd", "mine_plugin", GROUP))
    (broken,) = load().broken
    assert "register_nonsense" in broken.error


def test_two_distributions_may_use_one_entry_point_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}_module.py").write_text(SOURCE.format(cls="Mine", name=name, hook="register_explainers"))
        information = tmp_path / f"{name}-1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        (information / "entry_points.txt").write_text(f"[{GROUP}]\nplugin = {name}_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = load().explainers
    assert {"first", "second"} <= found.keys()
    assert (found["first"].owner, found["first"].distribution) == ("plugin (first)", "first")
    without = load(without={"plugin (first)": "it hung"})
    assert without.broken == [Broken("plugin (first)", "it hung")]
    assert "second" in without.explainers
    with pytest.raises(InputError, match="it hung"):
        without.find("explainers", "plugin")


@pytest.mark.parametrize("name", ["SRAE", "Srae", "top-conv"])
def test_a_file_whose_explainer_looks_like_an_installed_one_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "alike.py"
    path.write_text(GOOD.replace('"mine"', f'"{name}"'))
    with pytest.raises(InputError, match=rf"'{name}' \(explainers, .*alike.py\) looks like '(srae|top_conv)' of "):
        load([path])


class Crops(Dataset):
    """The images of single tasks."""

    name, default_performer = "whole", "lite0"
    classes = categories = ("animal",)


class Whole(Crops):
    """A dataset with single tasks of their own."""

    default_performer = "lite0_head"
    classes = categories = ("cat", "dog")
    single_images = Crops


def test_single_tasks_of_a_dataset_with_images_of_their_own_are_those_of_that_class() -> None:
    registry = replace(load(), datasets={"whole": Entry("whole", Whole, "o", "d", "1")})
    assert registry.tasks_of("whole") == ["whole/multi:cat", "whole/multi:dog", "whole/multi", "whole/animal"]
    assert registry.tasks_with_others("whole") == []
    assert [registry.opened_for("whole", what) for what in ("animal", "multi", "multi:cat")] == [Crops, Whole, Whole]
    assert registry.default_performer("whole/animal") == "lite0"
    assert registry.default_performer("whole/multi:cat") == "lite0_head"
