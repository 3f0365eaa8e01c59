"""The network being explained, as a chain of named stages that is never changed."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import advice
from partbench.advice import advised
from partbench.errors import InputError, NotApplicable
from partbench.nn.measured_field import measured_geometry
from partbench.nn.pooling import QuickPooling
from partbench.nn.receptive_field import NoReceptiveField, ReceptiveField, receptive_field

ROLES = ("target", "top_conv", "fc1", "fc2", "logits")
NAMED = 12  # layers without a role that a message names
CHUNK = 16  # images at least: torch convolves fewer of them in another order, which changes last bits
CHUNK_PIXELS = 1 << 19


class LayerAbsent(InputError, NotApplicable):
    """A performer has no layer of a role: an explainer that needs one is skipped, for this reason."""


class LayerUnsuited(ValueError, NotApplicable):
    """A layer is not what an explainer asks for, such as a vector in place of a map: the explainer is skipped."""


@dataclass
class Performer:
    """A trained CNN in evaluation mode, frozen.

    `stages` maps layer names to modules, in order; the first takes RGB images in [0, 1] of `input_size` px and
    normalises them itself; the output of a stage is the layer of that name. `roles` names the layers that methods ask
    for: target (the explained conv map), top_conv (the last conv map, after its ReLU), fc1, fc2 (after their ReLU) and
    logits; a network without one of them leaves it out. `outputs` names the logits, `targets` gives the logit that
    stands for a category of the dataset. `fingerprint` changes with the weights or with what they were trained on.
    `lacking` says of roles that no layer plays why not.
    """

    name: str
    version: str
    input_size: int
    stages: Mapping[str, nn.Module]
    roles: Mapping[str, str]
    outputs: tuple[str, ...]
    targets: Mapping[str, int]
    fingerprint: str = ""
    lacking: Mapping[str, str] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        for stage in self.stages.values():
            stage.eval().requires_grad_(False).to(self.device)

    def layer(self, role: str) -> str:
        """The name of the stage that plays a role; a stage's own name is itself.

        Raises LayerAbsent for a role that no layer plays, which skips an explainer, and InputError for another name.
        """
        name = self.roles.get(role, role)
        if name in self.stages:
            return name
        if role in ROLES:
            found = f"{self.name} has no layer '{role}'{self.why_lacking(role)}; {self.layers_in_words()}"
            raise advised(LayerAbsent(found), advice.LAYERS)
        found = f"no layer of {self.name} named '{role}'; {self.layers_in_words(role)}"
        raise advised(InputError(found), advice.LAYERS)

    def why_lacking(self, role: str) -> str:
        """Why no layer plays a role, behind a colon; "" where that is not known."""
        return f": {self.lacking[role]}" if role in self.lacking else ""

    def layers_in_words(self, asked: str = "") -> str:
        """The layers that there are: roles first, with the names of their layers, then the layers without a role.

        Before them stands the name that is nearest to the one `asked` for. Of many layers the first ones are named.
        """
        played = [role if role == layer else f"{role} ({layer})" for role, layer in self.roles.items()]
        others = [layer for layer in self.stages if layer not in self.roles.values()]
        near = difflib.get_close_matches(asked, [*self.roles, *self.stages], n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        more = len(others) - NAMED
        rest = f" and {more} more, see bench list performers {self.name}" if more > 0 else ""
        return f"{hint}its layers: {', '.join([*played, *others[:NAMED]])}{rest}"

    def in_words(self, role: str) -> str:
        """A layer that there is, as in "layer 'target' (conv4)"."""
        layer = self.roles.get(role, role)
        return f"layer '{role}'" if role == layer else f"layer '{role}' ({layer})"

    def has(self, role: str) -> bool:
        """Whether this network has a layer of that role or name."""
        return self.roles.get(role, role) in self.stages

    def segment(self, start: str, end: str) -> nn.Sequential:
        """The stages after layer `start` ("images" for the input) up to and including layer `end`; empty if equal.

        Raises LayerUnsuited, a ValueError, where `end` lies below `start`.
        """
        names = list(self.stages)
        first = 0 if start == "images" else names.index(self.layer(start)) + 1
        last = names.index(self.layer(end)) + 1
        if last < first:
            raise LayerUnsuited(f"{self.in_words(end)} of {self.name} does not come after {self.in_words(start)}")
        return nn.Sequential(*(self.stages[name] for name in names[first:last]))

    @torch.no_grad()
    def activations(self, images: Float[Tensor, "n 3 H W"], layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations (n, ...) at each of `layers` (roles or names), in one pass that stops at the last of them."""
        names = {layer: self.layer(layer) for layer in layers}  # two roles may be one layer
        with QuickPooling():
            parts = [self._at(set(names.values()), some) for some in chunks(images.to(self.device))]
        return {layer: joined([part[name] for part in parts]) for layer, name in names.items()}

    def _at(self, wanted: Set[str], value: Tensor) -> dict[str, Tensor]:
        found = {}
        last = max(list(self.stages).index(name) for name in wanted)
        for name, stage in list(self.stages.items())[: last + 1]:
            value = stage(value)
            if name in wanted:
                found[name] = value
        return found

    @torch.no_grad()
    def forward_from(self, layer: str, value: Tensor, to: str = "logits") -> Tensor:
        """The activation at layer `to`, given the one at `layer`. Differentiable use: `segment`."""
        segment = self.segment(layer, to)
        with QuickPooling():
            return joined([segment(some) for some in chunks(value.to(self.device))])

    def logits(self, images: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n c"]:
        """All logits of a batch."""
        return self.forward_from("images", images)

    def receptive_field(self, layer: str) -> ReceptiveField:
        """Where a cell of a conv layer lies on the input, computed from the layers below it.

        Where these do not tell it, as attention does not, it is measured, see `measured_geometry`; `approximate` says
        so. Raises LayerUnsuited, a ValueError, for a layer that gives no square map.
        """
        below = self.segment("images", layer)
        with suppress(ValueError):
            return receptive_field(below, self.input_size)
        try:
            return measured_geometry(below, self.input_size)
        except NoReceptiveField as error:
            raise LayerUnsuited(f"{self.in_words(layer)} of {self.name}: {error}; {self.layers_in_words()}") from error

    def weights(self) -> dict[str, Tensor]:
        """Weights and buffers of all stages by name, `stage.weight`; they are the performer's own, not copies."""
        stages = self.stages.items()
        return {f"{stage}.{name}": value for stage, module in stages for name, value in module.state_dict().items()}

    def state_checksum(self) -> int:
        """CRC-32 of weights and buffers, modes, hooks, and of which modules and attributes there are.

        It changes when a plugin changes the performer; it means nothing in another process.
        """
        value, stages = 0, self.stages.items()
        modules = [(f"{stage}.{name}", module) for stage, root in stages for name, module in root.named_modules()]
        for name, module in modules:
            held = {key: value for key, value in vars(module).items() if "_hooks" in key and isinstance(value, dict)}
            hooks = {key: [id(hook) for hook in found.values()] for key, found in held.items()}
            own = sorted(key for key in vars(module) if not key.startswith("_"))
            value = zlib.crc32(repr((name, id(module), module.training, hooks, own)).encode(), value)
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                data = tensor.detach().cpu().contiguous().reshape(-1)
                value = zlib.crc32(data.view(torch.uint8).numpy().data, value)
        return value


def chunks(value: Tensor) -> tuple[Tensor, ...]:
    """A batch of images or maps in chunks: a network on a CPU takes less memory for each, and less time for all.

    A chunk has at least `CHUNK` images and `CHUNK_PIXELS` pixels, and less than twice as many.
    """
    if value.device.type != "cpu" or value.ndim < 4:
        return (value,)
    size = max(CHUNK, CHUNK_PIXELS // max(1, value.shape[-1] * value.shape[-2]))
    return value.tensor_split(max(1, len(value) // size))


def joined(parts: Sequence[Tensor]) -> Tensor:
    """What was computed of chunks, as one batch."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
