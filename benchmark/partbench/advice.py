"""How to mend what breaks the contract of plugins. Whoever raises an error on a plugin gives it the advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

Raised = TypeVar("Raised", bound=BaseException)


class Advice(NamedTuple):
    """The methods or attributes that an error may be about, with | between, and how to mend them."""

    about: str
    mend: str


def advised(error: Raised, advice: Advice | None) -> Raised:
    """The same exception, with advice on how to mend what it says."""
    error.advice = advice  # type: ignore[attr-defined]
    return error


def advice_of(error: BaseException) -> Advice | None:
    """The advice of an exception or of what led to it; None if there is none."""
    for one in causes(error):
        if found := getattr(one, "advice", None) or _on_others(one):
            return found
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception after those that led to it: the earliest comes first."""
    before = error.__cause__ or error.__context__
    if before is not None:
        yield from causes(before)
    yield error


def _on_others(error: BaseException) -> Advice | None:
    """Advice on exceptions that are not partbench's own."""
    if isinstance(error, RuntimeError) and "in loading state_dict" in str(error):  # torch has no type for it
        return WEIGHTS
    return next((advice for kind, advice in BY_TYPE.items() if isinstance(error, kind)), None)


# explanations
NO_EXPLANATION = Advice(
    "explain",
    "return an `Explanation` of partbench itself on every path of `explain`, as in `return Explanation(maps, "
    "scores=scores)`",
)
EMPTY = Advice("explain", "give `Explanation(...)` at least maps, scores or logits")
MAP_AXES = Advice(
    "explain",
    "maps have four axes: image, concept, row, column. `maps[:, None]` adds the axis of concepts to one map per image; "
    "`maps.transpose(0, 1)` swaps images and concepts",
)
CONCEPT_AXES = Advice(
    "explain", "there is one number per image and concept: of maps (n, k, h, w), `maps.amax((2, 3))` has that shape"
)
LOGIT_AXES = Advice(
    "explain", "there is one logit per image, (n,): `logits[:, 0]` or `logits.squeeze(1)` takes the second axis away"
)
PART_AXES = Advice(
    "explain", "there is one number per image and part of the dataset, in the order of `task.part_names`"
)
AXES = {
    "maps": MAP_AXES, "unmasked maps": MAP_AXES, "scores": CONCEPT_AXES, "contributions": CONCEPT_AXES,
    "logits": LOGIT_AXES, "explained": LOGIT_AXES, "part_drops": PART_AXES,
}  # fmt: skip
TENSOR = Advice("explain", "make it a dense tensor, as with `torch.as_tensor(...)`")
FLOAT = Advice("explain", "`.float()` converts integers and booleans")
FINITE = Advice(
    "explain",
    "look for a division by 0 or a logarithm of 0: `.clamp(min=1e-12)` below the line keeps it finite",
)
NEGATIVE_MAPS = Advice(
    "explain",
    "maps say how strongly a concept is where; `.relu()` or `.abs()` makes them so. Signs belong to `contributions`",
)
SAME_CONCEPTS = Advice("explain", "maps, scores, contributions and parts are of the same k concepts in the same order")
PARTS = Advice(
    "explain", "`parts` (k,) holds for each concept an index into `task.part_names` as an integer, or -1 for none"
)
THRESHOLD_GRID = Advice("explain", "give a float as threshold, a `ReceptiveField` as grid, or leave them out")
ALONE = Advice(
    "explain",
    "compute each image by itself: no mean, maximum or norm over the first axis, no layer in training mode, no random "
    "numbers drawn per batch",
)
SEED = Advice(
    "fit",
    "seed a generator of your own in `fit` and pass it on: "
    "`torch.Generator().manual_seed(task.random_seed(self.name))`",
)
BLANKED = Advice(
    "explain",
    "compute logits from `images.pixels` or `images.activations(...)`, never from ids or from what `fit` saw; an "
    'explainer that ignores the image on purpose says so: `def control(self): return "floor"`',
)
SECOND_FIT = Advice("fit", "`fit` must not depend on what an earlier `fit` left behind")
PERFORMER_CHANGED = Advice(
    "fit",
    "work on a copy (`copy.deepcopy(module)`), take hooks off again (`handle.remove()` in a `finally`), and leave "
    "modes and gradients of the performer's modules alone",
)
PROCESS_CHANGED = Advice(
    "",
    "put back what you set for the whole process (default dtype, threads, grad mode, seeds, working directory) before "
    "the method returns",
)
REPORT = Advice("report", '`report` returns a dict of numbers by name, such as {"loss": 0.12}')
CONTROL = Advice("control", "see what `Explainer.control` says")
CONCEPT_NAMES = Advice("concept_names", "see what `Explainer.concept_names` says")
LAYERS = Advice(
    "explain",
    "layers have roles, the same for every network: target, top_conv, fc1, fc2, logits. Ask `task.performer.has(role)` "
    "first, and raise NotApplicable in `fit` where it is not there",
)

# what every class declares
NAME_MISSING = Advice("", 'write a line such as `name: ClassVar[str] = "my_plugin"` in the class; users type that name')
NAME = Advice("name", "use lower-case letters, digits and underscores, as in `my_plugin`")
NAME_TAKEN = Advice("name", "choose another name")
NAME_FIELD = Advice("name", "fields are options, and a name is none: `ClassVar` takes it out")
DOCSTRING = Advice("", "write a docstring below the `class` line; `bench list` shows its first line")
DATACLASS = Advice("", "write `@dataclass` on the line above the class (`from dataclasses import dataclass`)")
PLAIN_OPTIONS = Advice(
    "",
    "options are numbers, texts, None, or tuples of these; keep tensors and networks in attributes set by `fit`",
)
DEFAULTS = Advice("", "give each field a value, as in `concepts: int = 4`")
BASE_CLASS = Advice("", "derive the class from that base class, or register it with the hook of its own kind")
ABSENT = Advice("", "write what is named into the class; docs/plugins.md shows each kind")
NO_CLASS = Advice("", "write `register(MyPlugin)`, without brackets behind the class")
HOOK = Advice(
    "",
    "end the file with `@hookimpl` above `def register_explainers(register):` (or metrics, datasets, performers) and "
    "`register(MyPlugin)` below; `from partbench import hookimpl`",
)
VERSION = Advice("version", 'write `version: ClassVar[str] = "1"`')

# metrics
METRIC_BASE = Advice("", "derive the class from `ImageMetric`, or from `Metric`")
METRIC_OF = Advice("of", "correct the class attribute; the values that are allowed are named above")
METRIC_IMAGES = Advice("images", "correct the class attribute; the values that are allowed are named above")
NEEDS = Advice("needs", "write the names of fields as they are in `Explanation` and `Batch`")
READINGS = Advice(
    "readings",
    '`readings` returns one value per image, (n,), by reading, as in `{"": values}`; NaN where an image has none',
)
SAME_SCORES = Advice("compute", "return the same names of scores whatever the batches are")
IMAGE_BY_IMAGE = Advice(
    "update|readings",
    "in `update`, collect what belongs to each image, and form means and ratios over images in `compute`",
)
BOUNDS = Advice("bounds", "correct `bounds` or the formula: the aggregate must lie between the two")
EVIDENCE = Advice("compute", "the mean of `Scores.evidence` over the images must be the aggregate; see docs/plugins.md")
SCORES = Advice(
    "compute",
    '`compute` returns `{self.name: Scores(ids, values)}`; an `ImageMetric` returns `{"": values}` from `readings`',
)
SCORE_NAMES = Advice("compute", 'name scores `self.name`, and variants of it `self.name + "@variant"`')
REFUSED = Advice("compute|readings", "scores that a run refuses have no value on any board")

# datasets
CATEGORIES = Advice("categories", "`categories` are some of `classes`, spelt in the same way")
LABELS = Advice("labels", "labels (N,) are integers from 0, indices into `classes`")
BATCH_LABELS = Advice("batch", "`batch` takes labels from `self.labels` by the same indices")
PIXEL_AXES = Advice("batch", "pixels are (n, 3, H, W) with H = W = `size`: `.permute(0, 3, 1, 2)` of (n, H, W, 3)")
PIXEL_RANGE = Advice("batch", "`pixels.float() / 255` converts bytes to [0, 1]")
IDS = Advice("batch", "give each image an id of its own, such as its path below the root or its number")
BOXES = Advice(
    "batch",
    "boxes are x0 y0 x1 y1 in px of the image as it is opened: after resizing, scale them too; width and height are no "
    "corners",
)
LANDMARKS = Advice("batch", "landmarks are x y in px of the image as it is opened; NaN where one is not visible")
ANNOTATION_AXES = Advice(
    "batch",
    "the axes are image, part (landmark, attribute), then the rest; their names in the class decide how many there are",
)
ANNOTATION_TYPES = Advice("batch", "masks are boolean: `masks > 0`; positions and attributes are floats: `.float()`")
ATTRIBUTES = Advice("batch", "write +1 for yes, -1 for no and NaN where it is not known")
REPEATABLE = Advice(
    "batch",
    "`batch(indices)` returns copies of the same images at every call: no augmentation, no shuffling, and random "
    "numbers seeded with the index",
)
SPLIT_EMPTY = Advice("__len__", "check the path of the files, and how they are divided into training and test images")
FINGERPRINT = Advice(
    "fingerprint",
    "`fingerprint` is a text made from the names, sizes and times of the files, or from the seed of drawings",
)
DISJOINT = Advice("", "an image belongs to one split; put the split's name into the ids")
DEFAULT_PERFORMER = Advice(
    "default_performer",
    "`default_performer` names the network that is explained on this dataset: a registered one, such as lite0_head, or "
    "one in the same file",
)

# performers
ROLES = Advice("open", "`roles` maps target, logits (and top_conv, fc1, fc2, if there are any) to names among `stages`")
LOGITS_LAST = Advice("open", "end `stages` with the layer that gives the logits: no softmax behind it")
TARGETS = Advice("open", "`targets` gives for each category the index of its logit among `outputs`")
NO_TARGET = Advice(
    "open",
    "`targets` has the names in `dataset.categories` as keys; raise InputError for a dataset that the network is "
    "not for",
)
OUTPUTS = Advice("open", "`outputs` names each logit of the last layer, in its order")
LAYER_AXES = Advice("open", "target and top_conv are maps (n, c, h, w); fc1, fc2 and logits are vectors (n, c)")
LAYER_FINITE = Advice("open", "look for weights that are NaN, and for a division by 0 or a logarithm of 0 in a layer")
INPUT_SIZE = Advice("input_size", "give `Performer(...)` the `input_size` of the class: images are opened at that size")
WEIGHTS = Advice(
    "open",
    "the weights are of another network. Those for another dataset are checked with --task DATASET/WHAT and "
    "--plugin-file FILE.py of the dataset; after a change of the network, raise `version`: cached weights are not used "
    "then",
)
HOOKS = Advice("open", "remove hooks before `open` returns: analyses of the layers do not see them")
FROZEN = Advice("open", "leave the modules as `Performer` makes them: in evaluation mode and frozen")
OVERWRITTEN = Advice("open", "use layers that are not in place: `nn.ReLU()`, not `nn.ReLU(inplace=True)`")
DRAWS = Advice("open", "a layer draws random numbers: dropout must be off, as in evaluation mode")
LAYER_ALONE = Advice(
    "open", "no layer may mix the images of a batch: batch norm must be in evaluation mode, with its running statistics"
)
CHAIN = Advice("open", "each stage takes the output of the one before it alone; put branches and skips into one stage")
WRITES = Advice("open", "no layer may write into its input, weights or buffers: replace operations such as `x -= mean`")
NO_PERFORMER = Advice("open", "end `open` with `return Performer(...)`")
PERFORMER_NAMES = Advice(
    "open", "give `Performer(...)` a name, a version, and a fingerprint that changes with the weights"
)

BY_TYPE: dict[type[BaseException], Advice] = {
    SystemExit: Advice("", "a plugin must not end the process: raise an exception instead of calling sys.exit"),
    ModuleNotFoundError: Advice(
        "", "install the module that is named, or correct its name; modules beside the plugin's file are found"
    ),
    FileNotFoundError: Advice(
        "open", "the file must be at that place; `Path(__file__).with_name(...)` is a file beside the plugin"
    ),
}
