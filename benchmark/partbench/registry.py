"""Finding plugins: first-party modules by walking the packages, third-party ones by entry point or by path."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from partbench import __version__, hookspecs
from partbench.errors import InputError, unknown

KINDS = ("explainers", "metrics", "datasets", "performers")
PACKAGES = ("partbench.datasets", "partbench.performers", "partbench.metrics", "partbench_plugins")
GROUP = "partbench"


@dataclass(frozen=True)
class Entry:
    """A registered class and who owns it: the module, its distribution and that distribution's version."""

    name: str
    cls: Any
    owner: str
    distribution: str
    version: str


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be loaded, and why, in one line."""

    plugin: str
    error: str


@dataclass
class Registry:
    """Everything partbench knows by name, and the plugins that did not load."""

    explainers: dict[str, Entry] = field(default_factory=dict)
    metrics: dict[str, Entry] = field(default_factory=dict)
    datasets: dict[str, Entry] = field(default_factory=dict)
    performers: dict[str, Entry] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def find(self, kind: str, name: str) -> Entry:
        """The entry of that kind ("explainers", ...). Raises InputError, with the nearest name, if there is none."""
        table: dict[str, Entry] = getattr(self, kind)
        if name in table:
            return table[name]
        for broken in self.broken:
            if name in (broken.plugin, broken.plugin.rpartition(".")[2]):
                raise InputError(f"plugin '{broken.plugin}' is broken: {broken.error}")
        raise unknown(kind.removesuffix("s"), name, table)

    def tasks(self) -> list[str]:
        """Names of all tasks on default performers."""
        return [task for dataset in self.datasets for task in self.tasks_of(dataset)]

    def tasks_of(self, dataset: str) -> list[str]:
        """Names of the tasks of a dataset on default performers: its logits one at a time, all of them, attributes.

        Raises InputError for an unknown dataset.
        """
        cls = self.find("datasets", dataset).cls
        logits = [f"multi:{category}" for category in cls.categories]
        return [f"{dataset}/{what}" for what in (*logits, *(["multi"] if logits else []), *cls.attribute_tasks)]

    def default_performer(self, task: str) -> str:
        """The performer of a task of `tasks_of`."""
        dataset, _, what = task.partition("/")
        cls = self.find("datasets", dataset).cls
        opened = (cls.attribute_images or cls) if what in cls.attribute_tasks else cls
        performer: str = opened.default_performer
        return performer

    def _add(self, kind: str, entry: Entry) -> None:
        table: dict[str, Entry] = getattr(self, kind)
        if entry.name in table:
            owners = f"{table[entry.name].owner} and {entry.owner}"
            raise InputError(f"two {kind} are named '{entry.name}': {owners}; rename one or uninstall its package")
        table[entry.name] = entry

    def _collect(self, manager: pluggy.PluginManager, owner: str, distribution: str, version: str) -> None:
        """Call the hooks of the plugin just registered and file what it hands over."""
        plugin = manager.get_plugin(owner)
        others = [p for p in manager.get_plugins() if p is not plugin]
        for kind in KINDS:
            hook = manager.subset_hook_caller(f"register_{kind}", others)
            hook(register=lambda cls, kind=kind: self._add(kind, Entry(cls.name, cls, owner, distribution, version)))


def load(paths: Iterable[str | Path] = ()) -> Registry:
    """Find all plugins; `paths` are plugin files given by hand.

    Raises InputError for a duplicate name, an unknown hook or a broken file of `paths`; an installed plugin that fails
    is kept in `broken`.
    """
    registry, manager = Registry(), pluggy.PluginManager("partbench")
    manager.add_hookspecs(hookspecs)
    for name in _first_party():
        _register(registry, manager, name, importlib.import_module(name), ("partbench", __version__))
    for point in importlib.metadata.entry_points(group=GROUP):
        owner = point.dist.metadata["Name"] if point.dist else point.value
        try:
            _register(registry, manager, point.name, point.load(), (owner, point.dist.version if point.dist else "0"))
        except InputError:
            raise
        except Exception as error:  # one bad plugin must not stop the others
            registry.broken.append(Broken(point.name, f"{type(error).__name__}: {error}".splitlines()[0]))
    for path in paths:
        module = import_file(Path(path))
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
        try:
            _register(registry, manager, str(path), module, (Path(path).name, f"sha256:{digest}"))
        except pluggy.PluginValidationError as error:
            raise InputError(f"plugin file {path} has a hook that partbench does not know: {error}") from error
    return registry


def import_file(path: Path) -> ModuleType:
    """Import a plugin from a .py file. Raises InputError if it is not there or fails to import."""
    spec = importlib.util.spec_from_file_location(f"partbench_file_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"no plugin file {path}; expected a Python file with a register_... hook")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise InputError(f"plugin file {path} is broken: {type(error).__name__}: {error}") from error
    return module


def _first_party() -> list[str]:
    names = []
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        names += [m.name for m in pkgutil.walk_packages(package.__path__, package_name + ".")]
    return sorted(names)


def _register(
    registry: Registry, manager: pluggy.PluginManager, name: str, module: object, source: tuple[str, str]
) -> None:
    manager.register(module, name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        manager.unregister(name=name)
        raise
    registry._collect(manager, name, *source)
