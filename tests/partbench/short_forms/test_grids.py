from __future__ import annotations

import pytest
import torch
from torch import nn

from partbench.short_forms.chain_stage import ChainStage
from partbench.short_forms.grids import ChannelsLast, MapToTokens, TokensToMap, as_maps


def test_tokens_become_the_cells_of_a_map_row_by_row_and_back() -> None:
    tokens = torch.arange(2 * 9 * 4.0).view(2, 9, 4)
    maps = TokensToMap(3)(tokens)
    assert maps.shape == (2, 4, 3, 3)
    assert torch.equal(maps[1, :, 2, 1], tokens[1, 7])
    assert torch.equal(MapToTokens()(maps), tokens)
    assert torch.equal(TokensToMap(3, prefix=2)(torch.cat([torch.full((2, 2, 4), -1.0), tokens], 1)), maps)


@pytest.mark.parametrize(("tokens", "prefix"), [(16, 0), (17, 1), (19, 3)])
def test_the_grid_is_that_of_the_map_in_which_patches_are_embedded(tokens: int, prefix: int) -> None:
    stages = [ChainStage("patches", nn.Identity(), (8, 4, 4)), ChainStage("blocks", nn.Identity(), (tokens, 8))]
    found = as_maps(stages)[1]
    assert (found.cells, found.prefix) == (4, prefix)
    assert found.shape == ((8, 4, 4) if not prefix else (tokens, 8)), "tokens beside the grid are left as they are"


def test_maps_with_channels_last_are_turned_and_turned_back_for_the_next_stage() -> None:
    seen: list[tuple[int, ...]] = []

    class Looks(nn.Module):
        def forward(self, value: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(value.shape))
            return value.flatten(1)

    stages = as_maps([ChainStage("blocks", ChannelsLast(), (5, 5, 3)), ChainStage("head", Looks(), (75,))])
    assert stages[0].shape == (3, 5, 5)
    image = torch.rand(2, 3, 5, 5)
    assert torch.equal(stages[0].module(image), image)
    stages[1].module(image)
    assert seen == [(2, 5, 5, 3)]
