"""How to mend what breaks the contract: for each message of the checks, what to look at and what to write."""

from __future__ import annotations

import re
from typing import NamedTuple


class Advice(NamedTuple):
    """What a message matches, the methods or attributes that it may be about, with | between, and how to mend it."""

    pattern: str
    about: str
    mend: str


ADVICE = (
    # explainers
    Advice(
        r"explain returned a NoneType", "explain",
        "`explain` has no return statement on some path; end it with `return Explanation(maps, "
        "scores=scores)`",
    ),
    Advice(
        r"explain returned a", "explain",
        "return an `Explanation` of partbench itself, as in `return Explanation(maps, scores=scores)`",
    ),
    Advice(r"the explanation is empty", "explain", "give `Explanation(...)` at least maps, scores or logits"),
    Advice(
        r"maps are \(.*expected \(\d+, k, h, w\)", "explain",
        "maps have four axes: image, concept, row, column. `maps[:, None]` adds the axis of concepts to one "
        "map per image; `maps.transpose(0, 1)` swaps images and concepts",
    ),
    Advice(
        r"(scores|contributions) are \(.*expected \(\d+, k\)", "explain",
        "there is one number per image and concept: of maps (n, k, h, w), `maps.amax((2, 3))` has that shape",
    ),
    Advice(
        r"(logits|explained) are \(.*expected", "explain",
        "there is one logit per image, (n,): `logits[:, 0]` or `logits.squeeze(1)` takes the second axis away",
    ),
    Advice(
        r"part_drops are \(.*expected", "explain",
        "there is one number per image and part of the dataset, in the order of `task.part_names`",
    ),
    Advice(r"are a \w+, expected a torch tensor", "explain", "make it a tensor, as with `torch.as_tensor(...)`"),
    Advice(r"expected floating point numbers", "explain", "`.float()` converts integers and booleans"),
    Advice(
        r"values that are NaN or infinite", "explain",
        "look for a division by 0 or a logarithm of 0: `.clamp(min=1e-12)` below the line keeps it finite",
    ),
    Advice(
        r"maps must not be negative", "explain",
        "maps say how strongly a concept is where; `.relu()` or `.abs()` makes them so. Signs belong to "
        "`contributions`",
    ),
    Advice(
        r"disagree on the number of concepts|maps have \d+ concepts, scores", "explain",
        "maps, scores, contributions and parts are of the same k concepts in the same order",
    ),
    Advice(
        r"parts (hold|are)", "explain",
        "`parts` (k,) holds for each concept an index into `task.part_names` as an integer, or -1 for none",
    ),
    Advice(
        r"the (threshold|grid) is", "explain",
        "give a float as threshold, a `ReceptiveField` as grid, or leave them out",
    ),
    Advice(
        r"depends? on the other images of the batch", "explain",
        "compute each image by itself: no mean, maximum or norm over the first axis, no layer in training "
        "mode, no random numbers drawn per batch",
    ),
    Advice(
        r"differ for the same seed|differ between images, or for the same seed", "fit",
        "seed a generator of your own in `fit` and pass it on: "
        "`torch.Generator().manual_seed(task.random_seed(self.name))`",
    ),
    Advice(
        r"logits of blanked images", "explain",
        "compute logits from `images.pixels` or `images.activations(...)`, never from ids or from what `fit` "
        'saw; an explainer that ignores the image on purpose says so: `def control(self): return "floor"`',
    ),
    Advice(r"NotApplicable at the second fit", "fit", "`fit` must not depend on what an earlier `fit` left behind"),
    Advice(
        r"the explainer changed the performer", "fit",
        "work on a copy (`copy.deepcopy(module)`), take hooks off again (`handle.remove()` in a `finally`), "
        "and leave modes and gradients of the performer's modules alone",
    ),
    Advice(
        r"changed (?!the performer)", "",
        "put back what you set for the whole process (default dtype, threads, grad mode, seeds, working "
        "directory) before the method returns",
    ),
    Advice(r"report\(\)", "report", '`report` returns a dict of numbers by name, such as {"loss": 0.12}'),
    Advice(r"(control|concept_names)\(\) returned", "", "see what `Explainer` says of this method"),
    Advice(
        r"SystemExit", "", "a plugin must not end the process: raise an exception instead of calling sys.exit"
    ),
    Advice(
        r"no layer of \w+ named", "explain",
        "layers have roles, the same for every network: target, top_conv, fc1, fc2, logits. Ask "
        "`task.performer.has(role)` first, and raise NotApplicable in `fit` where it is not there",
    ),
    # what every class declares
    Advice(
        r"class attribute `name`", "",
        'write a line such as `name: ClassVar[str] = "my_plugin"` in the class; users type that name',
    ),
    Advice(r"its name", "name", "use lower-case letters, digits and underscores, as in `my_plugin`"),
    Advice(r"has no docstring", "", "write a docstring below the `class` line; `bench list` shows its first line"),
    Advice(
        r"is not a dataclass", "",
        "write `@dataclass` on the line above the class (`from dataclasses import dataclass`)",
    ),
    Advice(
        r"options must be plain values|type of an option cannot be checked", "",
        "options are numbers, texts, None, or tuples of these; keep tensors and networks in attributes set by "
        "`fit`",
    ),
    Advice(r"expected a default for each field", "", "give each field a value, as in `concepts: int = 4`"),
    Advice(r"`name` is a field", "name", "fields are options, and a name is none: `ClassVar` takes it out"),
    Advice(
        r"expected a subclass of partbench\.(\w+)", "",
        "derive the class from that base class, or register it with the hook of its own kind",
    ),
    Advice(r"and not there: (\w+)", "", "write what is named into the class; docs/plugins.md shows each kind"),
    Advice(r"registered .*, expected a class", "", "write `register(MyPlugin)`, without brackets behind the class"),
    Advice(
        r"registers nothing|unknown hook|expected a Python file with a register_", "",
        "end the file with `@hookimpl` above `def register_explainers(register):` (or metrics, datasets, "
        "performers) and `register(MyPlugin)` below; `from partbench import hookimpl`",
    ),
    Advice(r"two \w+ are named", "name", "choose another name"),
    Advice(
        r"ModuleNotFoundError", "",
        "install the module that is named, or correct its name; modules beside the plugin's file are found",
    ),
    # metrics
    Advice(r"is no partbench.Metric", "", "derive the class from `ImageMetric`, or from `Metric`"),
    Advice(
        r"no class attribute `", "", "write the attribute that is named into the class; docs/plugins.md has an example"
    ),
    Advice(r"\.of is", "of", "correct the class attribute; the values that are allowed are named above"),
    Advice(r"\.images is", "images", "correct the class attribute; the values that are allowed are named above"),
    Advice(
        r"readings\(\) (returned|names|gives)", "readings",
        '`readings` returns one value per image, (n,), by reading, as in `{"": values}`; NaN where an image has none',
    ),
    Advice(r"at once, .* one by one", "compute", "return the same names of scores whatever the batches are"),
    Advice(
        r"for the batch, .* image by image", "update|readings",
        "in `update`, collect what belongs to each image, and form means and ratios over images in `compute`",
    ),
    Advice(
        r"outside its bounds", "bounds",
        "correct `bounds` or the formula: the aggregate must lie between the two",
    ),
    Advice(
        r"evidence", "compute",
        "the mean of `Scores.evidence` over the images must be the aggregate; see docs/plugins.md",
    ),
    Advice(
        r"expected a dict of Scores by name", "compute",
        '`compute` returns `{self.name: Scores(ids, values)}`; an `ImageMetric` returns `{"": values}` from '
        "`readings`",
    ),
    Advice(
        r"expected \w+ or \w+@variant", "compute",
        'name scores `self.name`, and variants of it `self.name + "@variant"`',
    ),
    Advice(r"has no method", "", "write the method that is named; its arguments are those shown"),
    Advice(r"needs names", "needs", "write the names of fields as they are in `Explanation` and `Batch`"),
    # datasets
    Advice(r"are no classes", "categories", "`categories` are some of `classes`, spelt in the same way"),
    Advice(r"labels of the \w+ split", "labels", "labels (N,) are integers from 0, indices into `classes`"),
    Advice(r"labels of a batch differ", "batch", "`batch` takes labels from `self.labels` by the same indices"),
    Advice(
        r"pixels are .*expected \(", "batch",
        "pixels are (n, 3, H, W) with H = W = `size`: `.permute(0, 3, 1, 2)` of (n, H, W, 3)",
    ),
    Advice(r"pixels are .*expected (float32|0 to 1)", "batch", "`pixels.float() / 255` converts bytes to [0, 1]"),
    Advice(
        r"different ids for", "batch",
        "give each image an id of its own, such as its path below the root or its number",
    ),
    Advice(
        r"(boxes|part_boxes): (x0|from)", "batch",
        "boxes are x0 y0 x1 y1 in px of the image as it is opened: after resizing, scale them too; width and "
        "height are no corners",
    ),
    Advice(
        r"landmarks: from", "batch",
        "landmarks are x y in px of the image as it is opened; NaN where one is not visible",
    ),
    Advice(
        r"(boxes|landmarks|masks|part_boxes|attributes) are \(", "batch",
        "the axes are image, part (landmark, attribute), then the rest; their names in the class decide how "
        "many there are",
    ),
    Advice(r"masks are torch", "batch", "masks are boolean: `masks > 0`"),
    Advice(
        r"(boxes|landmarks|part_boxes|attributes) are torch", "batch",
        "positions and attributes are floats: `.float()`",
    ),
    Advice(r"attributes must be", "batch", "write +1 for yes, -1 for no and NaN where it is not known"),
    Advice(
        r"other pixels at the second call|pixels of an image depend|id of an image changes", "batch",
        "`batch(indices)` returns copies of the same images at every call: no augmentation, no shuffling, and "
        "random numbers seeded with the index",
    ),
    Advice(
        r"split is empty", "__len__",
        "check the path of the files, and how they are divided into training and test images",
    ),
    Advice(
        r"fingerprint", "fingerprint",
        "`fingerprint` is a text made from the names, sizes and times of the files, or from the seed of "
        "drawings",
    ),
    Advice(r"train and test share", "", "an image belongs to one split; put the split's name into the ids"),
    Advice(r"has no version", "version", 'write `version: ClassVar[str] = "1"`'),
    Advice(
        r"no performer named", "default_performer",
        "`default_performer` names the network that is explained on this dataset: a registered one, such as "
        "lite0_head, or one in the same file",
    ),
    # performers
    Advice(
        r"no layer has the role|is given to|unknown roles", "open",
        "`roles` maps target, logits (and top_conv, fc1, fc2, if there are any) to names among `stages`",
    ),
    Advice(
        r"layer of the logits is not the last", "open",
        "end `stages` with the layer that gives the logits: no softmax behind it",
    ),
    Advice(
        r"target of .* is output", "open",
        "`targets` gives for each category the index of its logit among `outputs`",
    ),
    Advice(
        r"no target is a category", "open",
        "`targets` has the names in `dataset.categories` as keys; raise InputError for a dataset that the "
        "network is not for",
    ),
    Advice(r"logits, but \d+ outputs", "open", "`outputs` names each logit of the last layer, in its order"),
    Advice(
        r"expected \d axes", "open",
        "target and top_conv are maps (n, c, h, w); fc1, fc2 and logits are vectors (n, c)",
    ),
    Advice(
        r"images have \d+ px, expected", "input_size",
        "give `Performer(...)` the `input_size` of the class: images are opened at that size",
    ),
    Advice(
        r"in loading state_dict", "open",
        "the weights are of another network: raise `version`, so that cached ones are not used, or load others",
    ),
    Advice(r"has hooks", "open", "remove hooks before `open` returns: analyses of the layers do not see them"),
    Advice(
        r"training mode|require gradients", "open",
        "leave the modules as `Performer` makes them: in evaluation mode and frozen",
    ),
    Advice(
        r"overwritten by a later layer", "open",
        "use layers that are not in place: `nn.ReLU()`, not `nn.ReLU(inplace=True)`",
    ),
    Advice(
        r"differs from call to call", "open",
        "a layer draws random numbers: dropout must be off, as in evaluation mode",
    ),
    Advice(
        r"computed from the target layer", "open",
        "each stage takes the output of the one before it alone; put branches and skips into one stage",
    ),
    Advice(
        r"changes while it runs|writes into the images", "open",
        "no layer may write into its input, weights or buffers: replace operations such as `x -= mean`",
    ),
    Advice(r"open\(\) returned a", "open", "end `open` with `return Performer(...)`"),
    Advice(
        r"the performer has no", "open",
        "give `Performer(...)` a name, a version, and a fingerprint that changes with the weights",
    ),
    # where nothing above says more
    Advice(r"a run refuses its scores", "compute|readings", "scores that a run refuses have no value on any board"),
    Advice(r"are .*, expected \(?\w", "", "compare the shape with what is expected, axis by axis"),
)  # fmt: skip


def advice_on(message: str) -> Advice | None:
    """The first advice whose pattern a message matches; None if there is none."""
    return next((advice for advice in ADVICE if re.search(advice.pattern, message)), None)
