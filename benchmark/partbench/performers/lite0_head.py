"""A VGG-style head on the frozen trunk of EfficientNet-lite0, trained on the dataset at hand and kept in the cache.

The trunk ends with block 10 (112 channels, 14 x 14 cells). conv4 standardises its channels and takes their positive
part, so that what is explained is a map after a ReLU. Training is plain (Adam, a cosine, class-balanced,
dropout) with batch norm, mirrored and shifted maps added: on `animal_part` they were worth six points of accuracy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.performers.batch_norm import fold, unfold
from partbench.performers.cached_head import cached_head, frozen_outputs
from partbench.performers.dataset_outputs import Truth, output_names, targets_of
from partbench.performers.efficientnet_lite import LITE0

if TYPE_CHECKING:
    from partbench import Dataset, ImageSet

CHANNELS, CELLS = 112, 14
EPOCHS, BATCH, RATE, DROPOUT, SEED = 16, 64, 1e-3, 0.5, 0
Maps = Float[Tensor, "n 112 14 14"]


def trunk() -> dict[str, nn.Module]:
    """The stages of lite0 up to block10, frozen."""
    return dict(islice(LITE0.stages().items(), 2 + LITE0.split))


def head(outputs: int) -> nn.Sequential:
    """The stages on the trunk, with He initialisation; conv4 is to be set by `standardisation`."""
    model = nn.Sequential()
    model.add_module("conv4", nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1, groups=CHANNELS), nn.ReLU()))
    model.add_module("conv5", nn.Sequential(nn.Conv2d(CHANNELS, 128, 3, padding=1), nn.ReLU()))
    model.add_module("pool5", nn.MaxPool2d(2))
    model.add_module("fc6", nn.Sequential(nn.Flatten(), nn.Linear(128 * (CELLS // 2) ** 2, 256), nn.ReLU()))
    model.add_module("fc7", nn.Sequential(nn.Linear(256, 256), nn.ReLU()))
    model.add_module("fc8", nn.Linear(256, outputs))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            nn.init.zeros_(parameter)
    return model


class Lite0Head(PerformerPlugin):
    """EfficientNet-lite0 up to 14 x 14 cells and a small VGG-style head of the dataset's own classes.

    In a single task the head is binary: one logit, trained on evenly drawn images of the category and its negatives.
    """

    name: ClassVar[str] = "lite0_head"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 224

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The network for `dataset`, its head from the cache or trained now (a minute for 1700 images on a CPU).

        The head depends on the dataset's training split alone; the last bits of its weights depend on the machine.
        Raises InputError if the trunk's weights are not installed or the images are not of 224 px.
        """
        if dataset.size != Lite0Head.input_size:
            raise InputError(f"images of {dataset.name} are {dataset.size} px, expected 224 px for lite0_head")
        key = fingerprint(dataset)
        return Performer(
            name=Lite0Head.name,
            version=Lite0Head.version,
            input_size=Lite0Head.input_size,
            stages=trunk() | dict(trained_head(dataset, device, key).named_children()),
            roles={"target": "conv4", "top_conv": "conv5", "fc1": "fc6", "fc2": "fc7", "logits": "fc8"},
            outputs=output_names(dataset),
            targets=targets_of(dataset),
            fingerprint=key,
            device=device,
        )


def fingerprint(dataset: Dataset) -> str:
    """Of all that the head's weights follow from: the trunk, the training split and this recipe's version."""
    known = (Lite0Head.name, Lite0Head.version, LITE0.fingerprint(), *output_names(dataset), dataset.train.fingerprint)
    return hashlib.sha256("|".join(known).encode()).hexdigest()


def trained_head(dataset: Dataset, device: torch.device, key: str) -> nn.Sequential:
    """The head cached under `key`, trained first if there is none."""
    outputs = len(output_names(dataset))

    def trained(rows: Int[Tensor, "n"], truth: Truth) -> nn.Sequential:
        return train(trunk_maps(dataset.train, rows, device), truth, outputs)

    return cached_head(f"{Lite0Head.name}-{key[:16]}", dataset, partial(head, outputs), trained)


@torch.no_grad()
def trunk_maps(images: ImageSet, rows: Int[Tensor, "n"], device: torch.device) -> Maps:
    """What the trunk makes of these images of a split, in half precision on `device`."""
    frozen = nn.Sequential(*trunk().values()).to(device)
    maps = torch.empty(len(rows), CHANNELS, CELLS, CELLS, dtype=torch.half, device=device)
    done = 0
    for found in frozen_outputs(frozen, images, rows, device):
        maps[done : done + len(found)] = found.half()
        done += len(found)
    return maps


def train(maps: Maps, truth: Truth, outputs: int) -> nn.Sequential:
    """A head trained on these maps, from random numbers of its own; its batch norm is folded in the end."""
    with torch.random.fork_rng(devices=[maps.device] if maps.is_cuda else []):
        torch.manual_seed(SEED)
        model = head(outputs).to(maps.device)
        scale, shift = standardisation(maps)
        conv4 = model.get_submodule("conv4")
        conv4.load_state_dict({"0.weight": scale[:, None, None, None], "0.bias": shift})
        conv4.requires_grad_(False)
        unfold(model, DROPOUT)
        descend(model.to(maps.device).train(), maps, truth)
    fold(model.eval())
    return model


def descend(model: nn.Module, maps: Maps, truth: Truth) -> None:
    """Adam, a cosine; images are drawn so that each class comes equally often, those with attributes evenly."""
    steps = EPOCHS * -(-len(maps) // BATCH)
    optimiser = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rarity = 1 / truth.bincount()[truth] if truth.ndim == 1 else torch.ones(len(truth))
    for _ in range(steps):
        drawn = torch.multinomial(rarity, BATCH, replacement=True)
        logits = model(varied(maps[drawn.to(maps.device)].float()))
        optimiser.zero_grad()
        loss(logits, truth[drawn].to(maps.device)).backward()
        optimiser.step()
        schedule.step()


def loss(logits: Float[Tensor, "b c"], truth: Truth) -> Float[Tensor, ""]:
    """Cross-entropy of classes; binary cross-entropy of a lone logit, or of attributes (+1 / -1) where known."""
    if truth.ndim == 1 and logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], truth.float())
    if truth.ndim == 1:
        return F.cross_entropy(logits, truth)
    known = truth.isfinite()
    return F.binary_cross_entropy_with_logits(logits[known], (truth[known] > 0).float())


def varied(maps: Maps) -> Maps:
    """Half of the maps mirrored; all shifted by up to one cell, together: as if the images had been."""
    mirrored = (torch.rand(len(maps)) < 0.5).to(maps.device)
    maps = torch.where(mirrored[:, None, None, None], maps.flip(-1), maps)
    top, left = torch.randint(0, 3, (2,)).tolist()
    return F.pad(maps, (1,) * 4, mode="replicate")[:, :, top : top + CELLS, left : left + CELLS]


def standardisation(maps: Maps) -> tuple[Float[Tensor, "112"], Float[Tensor, "112"]]:
    """Scale and shift that give each channel mean 0 and deviation 1 over all cells of all maps."""
    count, batches = maps[:, 0].numel(), maps.split(512)
    mean = torch.stack([some.float().sum((0, 2, 3)) for some in batches]).sum(0) / count
    squares = [(some.float() - mean[:, None, None]).square().sum((0, 2, 3)) for some in batches]
    scale = (torch.stack(squares).sum(0) / count).clamp(min=1e-12).rsqrt()
    return scale, -mean * scale


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(Lite0Head)
