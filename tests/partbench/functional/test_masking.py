from __future__ import annotations

import numpy as np
import torch

from partbench.functional import diffuse, inpaint, prominence, random_keep


def test_prominence_is_the_largest_relative_height_of_any_concept():
    maps = torch.rand(70, 4, 4)
    maps[3] = 0
    rows = torch.eye(4)
    expected = np.max([m / m.max() for i, m in enumerate(maps.numpy()) if i != 3], axis=0)
    np.testing.assert_allclose(prominence(maps, rows, rows), expected, rtol=1e-6)
    assert prominence(maps[:0], rows, rows).max() == 0


def test_inpainting_fills_a_hole_in_a_plain_image_with_its_colour_and_leaves_kept_pixels_alone():
    image = np.broadcast_to(np.float32([0.8, 0.4, 0.2]), (20, 20, 3)).copy()
    keep = np.ones((20, 20), dtype=bool)
    keep[6:12, 7:13] = False
    image[~keep] = 0
    filled = inpaint(image, keep)
    np.testing.assert_allclose(filled[~keep], [[0.8, 0.4, 0.2]] * 36, atol=2 / 255)
    np.testing.assert_array_equal(filled[keep], image[keep])


def test_random_control_keeps_as_many_pixels_and_depends_on_the_name_only():
    keep = np.zeros((20, 24), dtype=bool)
    keep[:7, :9] = True
    first, again, other = random_keep("a", keep), random_keep("a", keep), random_keep("b", keep)
    assert first.sum() == other.sum() == keep.sum()
    assert (first == again).all()
    assert (first != other).any()


def test_prominence_is_relative_to_the_maximum_of_the_upsampled_map_not_of_its_cells():
    """Two pixels between the cells: neither reaches a cell, and the larger counts as the whole."""
    between = torch.tensor([[0.75, 0.25]])
    assert prominence(torch.tensor([[[4.0, 0.0]]]), torch.ones(1, 1), between.T @ between)[0].tolist()[0] == 1


def test_an_image_is_itself_where_all_of_it_is_kept_and_black_where_nothing_is():
    image = np.random.default_rng(0).random((6, 5, 3), dtype=np.float32)
    np.testing.assert_array_equal(inpaint(image, np.ones((6, 5), dtype=bool)), image)
    assert not inpaint(image, np.zeros((6, 5), dtype=bool)).any()


def test_random_control_is_in_few_pieces():
    keep = np.zeros((64, 64), dtype=bool)
    keep[:20] = True
    chosen = random_keep("a", keep)
    borders = (chosen[1:] != chosen[:-1]).sum() + (chosen[:, 1:] != chosen[:, :-1]).sum()
    assert borders < 0.2 * chosen.size  # pixels at random have twice that


def test_diffusion_fills_a_hole_in_a_plain_image_with_its_colour_and_leaves_kept_pixels_alone():
    image = torch.tensor([0.8, 0.4, 0.2])[:, None, None].expand(3, 21, 18)[None]
    keep = torch.ones(1, 21, 18, dtype=torch.bool)
    keep[:, 6:12, 7:13] = False
    filled = diffuse(image * keep, keep)
    torch.testing.assert_close(filled, image, atol=1e-6, rtol=0)


def test_diffusion_fills_with_what_is_near_and_stays_within_the_colours_kept():
    image = torch.zeros(1, 3, 32, 32)
    image[..., 16:] = 1
    keep = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.05
    filled = diffuse(image, keep)[0, 0]
    assert 0 <= filled.min() <= filled.max() <= 1
    assert filled[:, :12].mean() < 0.2 < 0.8 < filled[:, 20:].mean()


def test_diffusion_leaves_a_kept_image_alone_and_paints_one_without_kept_pixels_black():
    images = torch.rand(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    keep = torch.stack([torch.ones(7, 5), torch.zeros(7, 5)]).bool()
    filled = diffuse(images, keep)
    assert torch.equal(filled[0], images[0])
    assert not filled[1].any()
