"""Options of performers made of networks of libraries, written behind the name: `vgg_16,weights=random,size=64`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from partbench import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

PRETRAINED, RANDOM = "pretrained", "random"
DATASET, IMAGENET = "dataset", "imagenet"
MOST_DIGITS = 4


@dataclass(frozen=True)
class NetworkOptions:
    """What a performer is made of, beside its network.

    weights: "pretrained", "random" (always the same ones), or a file (.safetensors, or one that torch.load reads with
        weights_only=True), as a path or by its name in torch's folder of checkpoints.
    outputs: "dataset" replaces the last layer by a linear one, fitted to the training images of the task; "imagenet"
        keeps the network's own logits, and explains those of ImageNet classes that stand for categories.
    size: side of the images in px; 0 for that of the network.
    layers: a TOML file that says which layers play which roles.
    """

    weights: str = PRETRAINED
    outputs: str = DATASET
    size: int = 0
    layers: str = ""

    @staticmethod
    def parse(text: str, name: str) -> NetworkOptions:
        """Options of performer `name`, as in "weights=random,size=64". Raises InputError for what is no option."""
        found = NetworkOptions()
        known = [option.name for option in fields(NetworkOptions)]
        for each in text.split(",") if text else ():
            option, equals, value = each.partition("=")
            if option not in known:
                raise unknown(f"option of performer {name}", option, known)
            if not equals or not value:
                raise InputError(f"performer {name}: expected {option}=VALUE, found '{each}'")
            found = replace(found, **{option: _whole(name, value) if option == "size" else value})  # type: ignore[arg-type]
        if found.outputs not in (DATASET, IMAGENET):
            raise InputError(f"performer {name}: outputs is '{found.outputs}', expected {DATASET} or {IMAGENET}")
        return found

    def __str__(self) -> str:
        """As they stand behind a name, defaults left out."""
        plain: Mapping[str, object] = {option.name: option.default for option in fields(self)}
        given = [f",{name}={getattr(self, name)}" for name in plain if getattr(self, name) != plain[name]]
        return "".join(given)


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS or not 8 <= int(value) <= 4096:
        raise InputError(f"performer {name}: size is '{value}', expected a number of px from 8 to 4096")
    return int(value)
