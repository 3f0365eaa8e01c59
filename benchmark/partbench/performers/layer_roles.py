"""Which layers of a network play which roles, found from its chain of stages or named in a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from partbench import ChainStage, InputError, unknown
from partbench.performer_folder import MOST_ROLES

MAPS, VECTORS = ("target", "top_conv"), ("fc1", "fc2")
ROLES = (*MAPS, *VECTORS)
STEP = 18  # px: the target is the last map of cells no further apart, as are those of 14 x 14 cells at 224 px
BETWEEN = "of vectors >= 0 stands between its maps and its logits"
ONE_VECTOR = f"one layer only {BETWEEN}"


class LayerRoles(NamedTuple):
    """The layer of each role, and of each role that no layer plays the reason."""

    layers: Mapping[str, str]
    lacking: Mapping[str, str]


def roles_of(stages: Sequence[ChainStage], size: int) -> LayerRoles:
    """Roles among the stages below the logits, of a network that takes images of `size` px.

    top_conv: the last map, pools left out, if its values are >= 0. target: of the maps with cells at most 18 px apart
    those with the fewest cells; the last of them that is >= 0 and lies below top_conv, or else the last. fc1 and fc2:
    the first vectors above the maps whose values are >= 0, pooled features included.

    Raises InputError for a network without maps.
    """
    maps = [stage for stage in stages if stage.is_map and not stage.pool]
    if not maps:
        raise InputError("the network has no layer with a square map that all values pass through")
    top, found, lacking = maps[-1], {}, {}
    if top.non_negative:
        found["top_conv"] = top.name
    else:
        lacking["top_conv"] = f"its last map, {top.name}, may have values below 0"
    found["target"] = _target(maps, size).name
    vectors = [stage.name for stage in stages[stages.index(top) + 1 :] if len(stage.shape) == 1 and stage.non_negative]
    for place, role in enumerate(("fc1", "fc2")):
        if place < len(vectors):
            found[role] = vectors[place]
        else:
            lacking[role] = ONE_VECTOR if vectors else f"no layer {BETWEEN}"
    return LayerRoles(found, lacking)


def _target(maps: Sequence[ChainStage], size: int) -> ChainStage:
    fine = [stage for stage in maps if stage.shape[1] * STEP >= size] or list(maps)
    fewest = min(stage.shape[1] for stage in fine)
    coarsest = [stage for stage in fine if stage.shape[1] == fewest]
    below = [stage for stage in coarsest if stage is not maps[-1] and stage.non_negative]
    return (below or coarsest)[-1]


def roles_in_file(path: str) -> dict[str, str]:
    """Layer by role from the table [roles] of a TOML file, as in `target = "layer3"`.

    Raises InputError where it cannot be read, or names no target or an unknown role.
    """
    try:
        file = Path(path).expanduser().absolute()
        if not file.exists():
            raise InputError(f"no file {file}; layers= names a TOML file with a table [roles] (docs/networks.md)")
        if not file.is_file() or file.stat().st_size > MOST_ROLES:  # a pipe would be waited for
            raise OSError(f"it is no file of at most {MOST_ROLES} bytes")
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError) as error:  # no home folder; no UTF-8, no TOML
        raise InputError(f"the file of roles {path} cannot be read: {error}") from error
    roles = content.get("roles")
    if not isinstance(roles, dict) or not all(isinstance(layer, str) for layer in roles.values()):
        raise InputError(f'{path} has no table [roles] of layers, such as target = "layer3"')
    for role in roles:
        if role not in ROLES:
            raise unknown(f"role in {path}", role, ROLES)
    if "target" not in roles:
        raise InputError(f"{path} names no target, the map that is explained")
    return roles


def expect_shapes(roles: Mapping[str, str], stages: Sequence[ChainStage], path: str) -> None:
    """Raise InputError unless the stages below the logits have these layers: square maps for `MAPS`, else vectors."""
    known = {stage.name: stage for stage in stages}
    for role, layer in roles.items():
        expected = "a square map of several cells" if role in MAPS else "a vector"
        stage = known.get(layer)
        if stage is None:
            raise InputError(
                f"{path}: {role} is {layer}, which the layer of logits replaces; expected {expected} below"
            )
        if not (stage.is_map if role in MAPS else len(stage.shape) == 1):
            shape = " x ".join(map(str, stage.shape))
            raise InputError(f"{path}: {role} is {layer}, which gives {shape} values of an image; expected {expected}")
