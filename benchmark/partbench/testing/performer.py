"""The contract of performers: a frozen network whose layers can be read one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from partbench import advice
from partbench.advice import Advice
from partbench.performer import ROLES, Performer
from partbench.plugin.dataset import Dataset
from partbench.testing.checks import expect

RANKS = {"target": 4, "top_conv": 4, "fc1": 2, "fc2": 2, "logits": 2}


def check_performer(performer: Performer, dataset: Dataset, images: int = 4) -> None:
    """Run an opened performer on test images of a dataset and check what it declares and returns. Raises ContractError.

    Roles are layers; targets are outputs; every module is frozen and in evaluation mode, without hooks; activations are
    finite, of the shape of their role, the same at every call, for an image alone or in a batch, and not overwritten by
    later layers; neither weights nor images change.
    """
    _check_declaration(performer, dataset)
    _check_frozen(performer)
    before = _weights(performer)
    pixels = dataset.test.batch(range(min(images, len(dataset.test)))).pixels
    given = pixels.clone()
    performer.activations(given, ["logits"])
    expect(torch.equal(pixels, given), f"{performer.name} writes into the images it is given", advice.WRITES)
    _check_activations(performer, pixels)
    after = _weights(performer)
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    expect(not changed, f"{performer.name} changes while it runs: {', '.join(changed[:3])}", advice.WRITES)


def _check_declaration(performer: Performer, dataset: Dataset) -> None:
    for name in ("name", "version", "fingerprint"):
        expect(bool(getattr(performer, name)), f"the performer has no {name}", advice.PERFORMER_NAMES)
    strange = set(performer.roles) - set(ROLES)
    expect(
        not strange, f"unknown roles {', '.join(sorted(strange))}; expected some of {', '.join(ROLES)}", advice.ROLES
    )
    for role in ("target", "logits"):
        expect(role in performer.roles, f"no layer has the role {role}", advice.ROLES)
    for role, layer in performer.roles.items():
        expect(layer in performer.stages, f"the role {role} is given to {layer}, which is no layer", advice.ROLES)
    expect(
        performer.roles["logits"] == list(performer.stages)[-1],
        "the layer of the logits is not the last one",
        advice.LOGITS_LAST,
    )
    outputs = len(performer.outputs)
    for category, target in performer.targets.items():
        expect(0 <= target < outputs, f"the target of {category} is output {target} of {outputs}", advice.TARGETS)
    known = {*dataset.categories, *dataset.attribute_tasks}
    expect(bool(known & performer.targets.keys()), f"no target is a category of {dataset.name}", advice.NO_TARGET)
    expect(
        performer.input_size == dataset.size,
        f"images have {dataset.size} px, expected {performer.input_size}",
        advice.INPUT_SIZE,
    )


def _check_frozen(performer: Performer) -> None:
    for name, stage in performer.stages.items():
        for module in stage.modules():
            expect(not module.training, f"{name}: {type(module).__name__} is in training mode", advice.FROZEN)
            hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
            expect(
                not hooks,
                f"{name}: {type(module).__name__} has hooks, which analyses of the layers do not see",
                advice.HOOKS,
            )
        trained = [weight for weight, value in stage.named_parameters() if value.requires_grad]
        expect(not trained, f"{name}: {', '.join(trained[:3])} require gradients", advice.FROZEN)


def _check_activations(performer: Performer, pixels: Tensor) -> None:
    together = performer.activations(pixels, list(performer.roles))
    for role, value in together.items():
        rank = RANKS[role]
        expect(
            value.ndim == rank and len(value) == len(pixels),
            f"{role} is {tuple(value.shape)}, expected {rank} axes",
            advice.LAYER_AXES,
        )
        expect(bool(torch.isfinite(value).all()), f"{role} holds values that are NaN or infinite", advice.LAYER_FINITE)
    found, wanted = together["logits"].shape[1], len(performer.outputs)
    expect(found == wanted, f"there are {found} logits, but {wanted} outputs are named", advice.OUTPUTS)
    for role, value in together.items():
        _expect_close(
            performer.activations(pixels, [role])[role],
            value,
            f"{role} is overwritten by a later layer",
            advice.OVERWRITTEN,
        )
        again = performer.activations(pixels, [role])[role]
        expect(
            torch.equal(again, performer.activations(pixels, [role])[role]),
            f"{role} differs from call to call",
            advice.DRAWS,
        )
        alone = torch.cat([performer.activations(pixels[i : i + 1], [role])[role] for i in range(len(pixels))])
        _expect_close(alone, value, f"{role} of an image depends on the other images of the batch", advice.LAYER_ALONE)
    _expect_close(
        performer.forward_from("target", together["target"].clone()), together["logits"],
        "the logits differ when they are computed from the target layer", advice.CHAIN,
    )  # fmt: skip


def _weights(performer: Performer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in performer.weights().items()}


def _expect_close(a: Tensor, b: Tensor, message: str, mending: Advice) -> None:
    scale = float(b.abs().max().clamp(min=1e-12))
    worst = float((a - b).abs().max()) / scale
    expect(worst < 1e-3, f"{message}: by {worst:.1e} of the largest value", mending)
