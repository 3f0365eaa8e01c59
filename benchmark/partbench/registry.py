"""Finding plugins: first-party modules by walking the packages, third-party ones by entry point or by path."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from partbench import __version__, advice, hookspecs, options
from partbench.advice import advised
from partbench.declaration import fault
from partbench.errors import InputError, in_one_line, unknown
from partbench.names import FIRST_PARTY, look, performer_bases
from partbench.plugin_files import digest, import_file

KINDS = ("explainers", "metrics", "datasets", "performers")
PACKAGES = ("partbench.datasets", "partbench.performers", "partbench.metrics", "partbench_plugins")


@dataclass(frozen=True)
class Entry:
    """A registered class and who owns it: the module or file, its distribution and that distribution's version."""

    name: str
    cls: Any
    owner: str
    distribution: str
    version: str


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be loaded, and why, in one line; `name` is what its class is called, where it has one."""

    plugin: str
    error: str
    name: str = ""


@dataclass
class Registry:
    """Everything partbench knows by name, and the plugins that did not load.

    `replaced`: kind and description of each installed plugin whose place a file takes.
    """

    explainers: dict[str, Entry] = field(default_factory=dict)
    metrics: dict[str, Entry] = field(default_factory=dict)
    datasets: dict[str, Entry] = field(default_factory=dict)
    performers: dict[str, Entry] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)

    def find(self, kind: str, name: str) -> Entry:
        """The entry of that kind ("explainers", ...). Raises InputError, with the nearest name, if there is none.

        Of performers also a name with options (`vgg_16,weights=random`), or of a library's network (`timm:resnet18`).
        """
        table: dict[str, Entry] = getattr(self, kind)
        if name in table:
            return table[name]
        self.raise_if_broken(name)
        for base in performer_bases(name) if kind == "performers" else ():
            if base in table:
                cls = _variant(table[base].cls, name)
                return replace(table[base], name=cls.name, cls=cls)
        raise unknown(kind.removesuffix("s"), name, table)

    def raise_if_broken(self, name: str) -> None:
        """Raise InputError, with the reason, if a plugin of that name could not be loaded."""
        for broken in self.broken:
            if name in (broken.name, broken.plugin, broken.plugin.partition(" (")[0], broken.plugin.rpartition(".")[2]):
                raise InputError(f"plugin '{broken.plugin}' is broken: {broken.error}")

    def of_file(self, path: str | Path) -> dict[str, list[str]]:
        """By kind, the names that a plugin file registered."""
        owner = str(Path(path).resolve())
        return {kind: [entry.name for entry in getattr(self, kind).values() if entry.owner == owner] for kind in KINDS}

    def tasks(self) -> list[str]:
        """Names of all tasks on default performers."""
        return [task for dataset in self.datasets for task in self.tasks_of(dataset)]

    def tasks_of(self, dataset: str) -> list[str]:
        """Names of the tasks of a dataset on default performers: logits, all logits, single ones, attributes.

        Those with the other categories among the negatives are not listed: see `tasks_with_others`. Raises InputError
        for an unknown dataset.
        """
        cls = self.find("datasets", dataset).cls
        logits = [f"multi:{category}" for category in cls.categories]
        singles = (cls.single_images or cls).categories
        whats = (*logits, *(["multi"] if logits else []), *singles, *cls.attribute_tasks)
        return [f"{dataset}/{what}" for what in whats]

    def tasks_with_others(self, dataset: str) -> list[str]:
        """Names of the single tasks of a dataset with the other categories among the negatives, where there are any."""
        cls = self.find("datasets", dataset).cls
        singles = (cls.single_images or cls).categories
        return [f"{dataset}/{category}:others" for category in singles if cls.single_images is None or len(singles) > 1]

    def opened_for(self, dataset: str, what: str) -> Any:
        """The class that is opened for a task of a dataset: that of attribute tasks, of single ones, or its own."""
        cls = self.find("datasets", dataset).cls
        if what in cls.attribute_tasks:
            return cls.attribute_images or cls
        single = cls.single_images
        return single if single and what.removesuffix(":others") in single.categories else cls

    def default_performer(self, task: str) -> str:
        """The performer of a task of `tasks_of` or `tasks_with_others`."""
        dataset, _, what = task.partition("/")
        performer: str = self.opened_for(dataset, what).default_performer
        return performer


def _variant(performer: Any, name: str) -> Any:
    try:
        return performer.variant(name)
    except InputError:
        raise
    except Exception as error:  # of the plugin, or of the library whose network it names
        raise InputError(f"there is no performer '{name}': {in_one_line(error)}") from error


def load(
    paths: Iterable[str | Path] = (), without: Mapping[str, str] = {},
    announce: Callable[[str], None] = lambda owner: None,
) -> Registry:  # fmt: skip
    """Find all plugins; `paths` are plugin files given by hand, which may take the place of installed plugins.

    A plugin that fails is kept in `broken`, for its reason, and stops no other. `without` names installed plugins that
    are not imported, with the reason. `announce` is told of each plugin before it is imported. Raises InputError for a
    broken file of `paths`, two plugins of one name among them, and two first-party plugins of one name.
    """
    registry = Registry()
    for module in first_party_modules():
        _load_installed(registry, module, partial(importlib.import_module, module), (FIRST_PARTY, __version__))
    for owner, point in _by_owner(hookspecs.entry_points()).items():
        if owner in without:
            registry.broken.append(Broken(owner, without[owner]))
            continue
        announce(owner)
        source = (point.dist.metadata["Name"], point.dist.version) if point.dist else (point.value, "0")
        if source[0] == FIRST_PARTY:  # whose plugins are found without an entry point
            source = (point.value, source[1])
        _load_installed(registry, owner, point.load, source)
    for path in dict.fromkeys(Path(path).resolve() for path in paths):
        announce(str(path))
        _load_file(registry, path)
    return registry


def first_party_modules() -> list[str]:
    """Names of all modules of the packages that hold first-party plugins; only the packages themselves are imported."""
    names = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            parts = (path.relative_to(folder).with_suffix("").parts for path in Path(folder).rglob("*.py"))
            names += [".".join((package, *part)).removesuffix(".__init__") for part in parts]
    return sorted(set(names) - set(PACKAGES))


def offered(module: object) -> list[tuple[str, Any]]:
    """What the hooks of a plugin register, each with its kind. Raises what pluggy and the hooks raise."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    found: list[tuple[str, Any]] = []
    for kind in KINDS:
        getattr(manager.hook, f"register_{kind}")(register=lambda cls, kind=kind: found.append((kind, cls)))
    return found


def _by_owner(points: Sequence[EntryPoint]) -> dict[str, EntryPoint]:
    """Entry points by their names; those of one name in several distributions also tell theirs."""
    often = Counter(point.name for point in points)
    source = {point: point.dist.metadata["Name"] if point.dist else point.value for point in points}
    return {f"{p.name} ({source[p]})" if often[p.name] > 1 else p.name: p for p in points}


def _load_installed(registry: Registry, owner: str, importing: Callable[[], object], source: tuple[str, str]) -> None:
    """Import a plugin and file what it registers; what is wrong with it stops no other."""
    try:
        found = offered(importing())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may call sys.exit
        registry.broken.append(Broken(owner, in_one_line(error)))
        return
    for kind, cls in found:
        wrong, name = _fault(kind, cls), getattr(cls, "name", "")
        known = None if wrong else getattr(registry, kind).get(name)
        wrong = wrong or _alike(registry, kind, name, owner)
        if known and known.cls is not cls:
            wrong = f"two {kind} are named '{name}': {known.owner} and {owner}; rename one or uninstall its package"
            if source[0] == FIRST_PARTY:
                raise InputError(wrong)
        if wrong:
            registry.broken.append(Broken(owner, wrong, name if isinstance(name, str) else ""))
        elif not known:
            getattr(registry, kind)[name] = Entry(name, cls, owner, *source)


def _load_file(registry: Registry, path: Path) -> None:
    try:
        found = offered(import_file(path))
    except (KeyboardInterrupt, InputError):
        raise
    except pluggy.PluginValidationError as error:
        raise advised(InputError(f"plugin file {path} is broken: {in_one_line(error)}"), advice.HOOK) from error
    except BaseException as error:
        raise InputError(f"plugin file {path} is broken: {in_one_line(error)}") from error
    if not found:
        hook = "a hook, such as @hookimpl def register_metrics(register), that calls register(YourClass)"
        text = f"plugin file {path} registers nothing; expected {hook}; see docs/plugins.md"
        raise advised(InputError(text), advice.HOOK)
    version = digest(path)
    for kind, cls in found:
        if wrong := _fault(kind, cls):
            raise advised(InputError(f"plugin file {path} is broken: {wrong}"), getattr(wrong, "advice", None))
        if wrong := _alike(registry, kind, cls.name, str(path)):
            raise InputError(wrong)
        if kind in ("explainers", "metrics"):
            options.check_types(cls)  # now: the modules beside another file may take the place of those they are from
        entry = Entry(cls.name, cls, str(path), path.name, version)
        if known := getattr(registry, kind).get(entry.name):
            registry.replaced.append((kind, _shadow(kind, known, entry)))
        getattr(registry, kind)[entry.name] = entry


def _alike(registry: Registry, kind: str, name: str, owner: str) -> str:
    """Why a name cannot stand beside those of its kind that look like it, in one line; "" if it can."""
    for known in getattr(registry, kind).values():
        if known.name != name and look(known.name) == look(name):
            return f"'{name}' ({kind}, {owner}) looks like '{known.name}' of {known.owner}; choose another name"
    return ""


def _shadow(kind: str, known: Entry, entry: Entry) -> str:
    """A file may take the place of an installed plugin, which is said; not of another file's."""
    if known.version.startswith("sha256:"):
        text = f"two {kind} are named '{entry.name}': {known.owner} and {entry.owner}; rename one"
        raise advised(InputError(text), advice.NAME_TAKEN)
    place = f"{known.distribution} {known.version}"
    text = f"{entry.owner} takes the place of '{entry.name}' ({kind}) of {place}"
    warnings.warn(text, stacklevel=4)
    return text


def _fault(kind: str, cls: Any) -> str:
    try:
        return fault(kind, cls)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # such as an attribute that raises when it is read
        return in_one_line(error)
