"""Grids of tokens, and maps with channels last, as maps (c, h, w)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

from jaxtyping import Float
from torch import Tensor, nn

from partbench.short_forms.chain_stage import ChainStage


class ChannelsFirst(nn.Module):
    """Maps with channels last become maps with channels first."""

    def forward(self, maps: Float[Tensor, "n h w c"]) -> Float[Tensor, "n c h w"]:
        """The same values in another order."""
        return maps.permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    """Maps with channels first become maps with channels last."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w c"]:
        """The same values in another order."""
        return maps.permute(0, 2, 3, 1)


class TokensToMap(nn.Module):
    """The tokens of a grid of `cells` x `cells` become the cells of a map; `prefix` tokens before them are dropped."""

    def __init__(self, cells: int, prefix: int = 0) -> None:
        super().__init__()
        self.cells, self.prefix = cells, prefix

    def forward(self, tokens: Float[Tensor, "n t c"]) -> Float[Tensor, "n c h w"]:
        """Row by row, as patches are embedded."""
        return tokens[:, self.prefix :].transpose(1, 2).unflatten(2, (self.cells, self.cells))


class MapToTokens(nn.Module):
    """The cells of a map become a sequence of tokens, row by row."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t c"]:
        """The same values in another order."""
        return maps.flatten(2).transpose(1, 2)


def as_maps(stages: Sequence[ChainStage]) -> list[ChainStage]:
    """Stages whose outputs are maps (c, h, w) where they are grids or have their channels last.

    The grid is that of the last map before the tokens, in which patches are embedded; without one, tokens that fill a
    square. Tokens beside the grid come first, and stay.
    """
    found: list[ChainStage] = []
    cells = 0
    back: nn.Module | None = None
    for stage in stages:
        module = stage.module if back is None else nn.Sequential(back, stage.module)
        stage, back = replace(stage, module=module), None
        if stage.is_map:
            cells = stage.shape[1]
        elif _channels_last(stage.shape):
            cells, back = stage.shape[0], ChannelsLast()
            shape = (stage.shape[2], *stage.shape[:2])
            stage = replace(stage, module=nn.Sequential(module, ChannelsFirst()), shape=shape)
        elif len(stage.shape) == 2 and (grid := _grid(stage.shape[0], cells)):
            prefix = stage.shape[0] - grid * grid
            stage = replace(stage, prefix=prefix, cells=grid)
            if not prefix:
                back, shape = MapToTokens(), (stage.shape[1], grid, grid)
                stage = replace(stage, module=nn.Sequential(module, TokensToMap(grid)), shape=shape)
        found.append(stage)
    return found


def _channels_last(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] == shape[1] > 1 and shape[1] != shape[2]


def _grid(tokens: int, cells: int) -> int:
    """Cells a side of the grid among so many tokens; 0 where there is none."""
    if cells:
        return cells if cells * cells <= tokens < cells * cells + cells else 0
    side = isqrt(tokens)
    return side if side > 1 and tokens - side * side < 6 else 0
