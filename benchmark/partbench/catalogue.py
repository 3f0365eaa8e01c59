"""The registered plugins as plain data, cached so that listing and completing names import no plugin.

The catalogue is read from its file while no module that it describes has changed (path, time, size); else, and where
the file is damaged, the plugins are loaded and it is written anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partbench import __version__, hookspecs
from partbench.cache.item import CacheItem, check, discard

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from partbench.registry import Entry, Registry

FORMAT = "4"
COMPUTED = "(set by other options)"  # a default that is known when the explainer is made
NEWEST = 16  # cached catalogues that are not deleted; each environment and set of plugin files has its own


@dataclass(frozen=True)
class Listed:
    """A plugin: `owner` is its module or file; `options` are name, default, type and what it is of each, as text.

    The "value" of an option is its default too, computed where other options set it. `facts` say more, by name, such as
    what a metric needs.

    `what` is the first line of its docstring, `source` the paragraph "Source: ..." without this word. `unit` is that of
    a metric, where it says one. `card` holds the fields of a dataset's DatasetCard.
    """

    kind: str
    name: str
    version: str
    owner: str
    distribution: str
    distribution_version: str
    what: str = ""
    options: list[dict[str, str]] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    attribute_tasks: list[str] = field(default_factory=list)
    default_performer: str = ""
    source: str = ""
    needs_root: bool = False
    card: dict[str, Any] = field(default_factory=dict)
    unit: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """All plugins, the tasks on default performers as {"name", "performer"}, the broken as {"plugin", "error"}."""

    plugins: list[Listed]
    tasks: list[dict[str, str]]
    broken: list[dict[str, str]]

    def of(self, kind: str) -> list[Listed]:
        """The plugins of a kind ("explainers", ...), by name."""
        return sorted((plugin for plugin in self.plugins if plugin.kind == kind), key=lambda plugin: plugin.name)


def catalogue(files: Sequence[Path] = ()) -> Catalogue:
    """What is registered, with the plugins of `files`. Raises InputError for a broken file, as `registry.load` does."""
    item = CacheItem("catalogue", _state(files), ".json")
    found = _read(item)
    if found is None:
        from partbench.registry import load

        with contextlib.redirect_stdout(sys.stderr):  # what a plugin prints must not mix with a list for scripts
            found = described(load(files))
        _write(item, found)
    return found


def cached(files: Sequence[Path] = ()) -> Catalogue | None:
    """The catalogue if it is cached; None where plugins would have to be loaded."""
    return _read(CacheItem("catalogue", _state(files), ".json"))


def described(registry: Registry) -> Catalogue:
    """A registry as plain data."""
    from partbench.registry import KINDS

    plugins = [_listed(kind, entry) for kind in KINDS for entry in getattr(registry, kind).values()]
    names = [name for dataset in registry.datasets for name in _tasks_of(registry, dataset)]
    tasks = [{"name": name, "performer": registry.default_performer(name)} for name in names]
    return Catalogue(plugins, tasks, [{"plugin": b.plugin, "error": b.error} for b in registry.broken])


def _tasks_of(registry: Registry, dataset: str) -> list[str]:
    return [*registry.tasks_of(dataset), *registry.tasks_with_others(dataset)]


def _facts(kind: str, cls: Any) -> dict[str, str]:
    """More on a plugin, which its class says."""
    if kind == "metrics":
        direction = "higher is better" if cls.higher_is_better else "lower is better"
        low, high = cls.bounds
        return {
            "needs": ", ".join(cls.needs) or "nothing", "images": cls.images, "direction": direction,
            "bounds": f"{low:g} to {high:g}", "one value is of": cls.of,
        }  # fmt: skip
    if kind == "datasets":
        names = {
            "classes": cls.classes, "categories": cls.categories, "parts": cls.part_names,
            "landmarks": cls.landmark_names, "attributes": cls.attribute_names, "attribute tasks": cls.attribute_tasks,
        }  # fmt: skip
        found = {what: ", ".join(map(str, values)) for what, values in names.items() if values}
        root = "a folder, see --data-root" if cls.needs_root else "embedded"
        return {**found, "default performer": str(cls.default_performer), "data": root}
    return {"input": f"{cls.input_size} px"} if kind == "performers" else {}


def _listed(kind: str, entry: Entry) -> Listed:
    cls = entry.cls
    of_dataset: dict[str, Any] = {}
    if kind == "datasets":
        of_dataset = {
            "categories": list(cls.categories),
            "attribute_tasks": list(cls.attribute_tasks),
            "default_performer": str(cls.default_performer),
            "needs_root": bool(cls.needs_root),
            "card": dataclasses.asdict(cls.card) if cls.card else {},
        }
    lines = (cls.__doc__ or "").strip().splitlines() or [""]
    version = entry.version if kind == "explainers" else str(cls.version)
    unit = str(cls.unit) if kind == "metrics" else ""
    names = entry.name, version, entry.owner, entry.distribution, entry.version
    return Listed(kind, *names, lines[0], _options(kind, cls), **of_dataset, source=_source(cls.__doc__ or ""),
                  unit=unit, facts=_facts(kind, cls))  # fmt: skip


def _source(docstring: str) -> str:
    """The sentences after "Source:" up to the end of their paragraph, on one line."""
    found = re.search(r"\bSource: (.*?)(?:\n\s*\n|\Z)", docstring, re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _options(kind: str, cls: Any) -> list[dict[str, str]]:
    if kind not in ("explainers", "metrics") or not dataclasses.is_dataclass(cls):
        return []
    import inspect

    from partbench.option_docs import option_docs
    from partbench.options import LeftOut, plain, resolved

    made: Any = cls
    options, docs, values = [], option_docs(made), {}
    with contextlib.suppress(Exception):  # of a class that cannot be made, which is told when it is run
        values = resolved(made())
    for option in (f for f in dataclasses.fields(cls) if f.init):
        factory = option.default_factory
        default = option.default if factory is dataclasses.MISSING else factory()
        text = option.type if isinstance(option.type, str) else inspect.formatannotation(option.type)
        shown = COMPUTED if isinstance(default, LeftOut) else str(plain(default))
        value = str(values.get(option.name, shown))
        named = {"name": option.name, "default": shown, "type": text}
        options.append({**named, "value": value, "what": docs.get(option.name, "")})
    return options


def _read(item: CacheItem) -> Catalogue | None:
    """The cached catalogue; None if there is none or it is damaged."""
    try:
        for path in item.files():
            check(path, item.identity)
            data = json.loads(path.read_text())
            return Catalogue([Listed(**plugin) for plugin in data["plugins"]], data["tasks"], data["broken"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def _write(item: CacheItem, found: Catalogue) -> None:
    """Cache a catalogue, whole or not at all; do nothing if the folder cannot be written."""
    text = json.dumps(dataclasses.asdict(found))
    with contextlib.suppress(OSError):
        path = item.write(lambda file: file.write(text.encode()))
        cached = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in cached[NEWEST:]:
            discard(old)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _state(files: Sequence[Path]) -> str:
    """A hash of all that decides what is found: versions, entry points, and the modules by path, time and size."""
    points = hookspecs.entry_points()
    folders = [Path(__file__).parent, *_places("partbench_plugins")]
    modules = [module for folder in folders for module in _modules(folder)]
    for point in points:
        modules += _modules_of(point)
    for file in files:
        folder = file.resolve().parent
        modules += [file.resolve(), *folder.glob("*.py"), *folder.glob("*/*.py")]
    # a package that is installed or removed changes the time of its folder, and may mend or break a plugin
    modules += [Path(folder) for folder in sys.path if folder.endswith("-packages")]
    named = [(point.name, point.value, point.dist.version if point.dist else "") for point in points]
    state = [FORMAT, __version__, sys.version, sys.prefix, named, *map(_stat, sorted(set(modules)))]
    return _digest(json.dumps(state))[:24]


def _modules_of(point: EntryPoint) -> Iterator[Path]:
    """The modules of the distribution of an entry point, wherever an editable install may have left them."""
    yield from (Path(str(file.locate())) for file in (point.dist and point.dist.files) or () if file.suffix == ".py")
    for place in _places(point.value.partition(":")[0].partition(".")[0]):
        yield from _modules(place)


def _places(module: str) -> list[Path]:
    """The file of a top-level module, or the folders of a package; none if there is no such module."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations or filter(None, [spec.origin])]


def _modules(place: Path) -> Iterable[Path]:
    return place.rglob("*.py") if place.is_dir() else [place]


def _stat(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [str(path), 0, 0]
    return [str(path), found.st_mtime_ns, found.st_size]
