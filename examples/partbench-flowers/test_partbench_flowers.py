import torch
from partbench_flowers import KINDS, PARTS, Flowers

from partbench.testing import check_dataset


def test_it_keeps_the_contract() -> None:
    check_dataset(Flowers(None, 32))


def test_flowers_have_all_parts_which_do_not_overlap_and_grass_has_none() -> None:
    dataset = Flowers(None, 48)
    batch = dataset.test.batch(range(30))
    flower = batch.labels < len(KINDS)
    assert (batch.masks[flower].flatten(2).sum(2) > 0).all()
    assert not batch.masks[~flower].any()
    assert batch.landmarks[~flower].isnan().all()
    assert int(batch.masks.sum(1).max()) == 1
    assert batch.masks.shape[1] == len(PARTS)


def test_the_landmark_is_the_middle_of_the_centre() -> None:
    batch = Flowers(None, 64).train.batch([0, 1, 3, 4])
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    for mask, (landmark,) in zip(batch.masks[:, 0], batch.landmarks, strict=True):
        torch.testing.assert_close(torch.stack([x[mask].mean(), y[mask].mean()]), landmark, atol=0.6, rtol=0)
