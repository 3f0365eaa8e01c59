"""animal_part: a tiny folder in the published layout, written in both MATLAB encodings, and the real photos."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_folder import NONE, WRITERS, TinyFolder, bndbox, column

from partbench import InputError
from partbench.datasets.animal_part import AnimalPart
from partbench.datasets.animal_part.dataset import WNIDS, AnimalPartSet, halves
from partbench.datasets.animal_part.layout import TRUTH_FOLDER, Photo
from partbench.datasets.matlab.encodings import MatContent
from partbench.datasets.photograph import CropMemory
from partbench.opening import Workbench
from partbench.registry import load

REAL = Path(__file__).resolve().parents[4] / "../shared/data/animal-part"
pytestmark = pytest.mark.filterwarnings("ignore:animal_part. .* holds:UserWarning")
needs_photos = pytest.mark.skipif(not REAL.is_dir(), reason="the real photos are not beside the repository")
ENCODINGS = ("v5", "v7.3")
CAT = WNIDS["cat"]


@pytest.fixture(scope="module", params=ENCODINGS)
def pristine(request, tmp_path_factory) -> TinyFolder:
    return TinyFolder(tmp_path_factory.mktemp("pristine"), request.param).write()


@pytest.fixture
def tiny(pristine: TinyFolder, tmp_path: Path) -> TinyFolder:
    shutil.copytree(pristine.root, tmp_path / "tiny")
    return TinyFolder(tmp_path / "tiny", pristine.encoding)


def row_of(dataset: AnimalPart, name: str) -> tuple[AnimalPartSet, int]:
    for split in (dataset.train, dataset.test):
        for i, photo in enumerate(split.photos):
            if photo.id == name:
                return split, i
    raise LookupError(name)


def ids(dataset: AnimalPart) -> set[str]:
    return {photo.id for split in (dataset.train, dataset.test) for photo in split.photos}


def test_a_landmark_at_the_centre_of_a_matlab_pixel_is_at_the_centre_of_that_pixel(tiny: TinyFolder):
    split, i = row_of(tiny.open(224), "cat/00001")
    landmarks = split.batch([i]).landmarks
    assert landmarks[0, 0].tolist() == [56.5, 112.5]  # (row 113, col 57) -> x, y
    assert landmarks[0, 1].isnan().all()


def test_landmarks_and_part_boxes_scale_with_the_crop(tiny: TinyFolder):
    split, i = row_of(tiny.open(112), "cat/00001")
    # left edge of MATLAB's pixel p is p - 0.5 - 0.5 frame px from the edge of the frame; its centre p - 0.5
    assert split.batch([i]).landmarks[0, 0].tolist() == [56.5 / 2, 112.5 / 2]
    corners = [(56.5 - 14) / 2, (112.5 - 28) / 2, (56.5 + 14) / 2, (112.5 + 28) / 2]
    assert split.part_boxes([i])[0, 0].tolist() == corners
    assert split.part_boxes([i])[0, 1].isnan().all()


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=25, deadline=None)
@given(row=st.floats(-5, 230), col=st.floats(-5, 230), size=st.sampled_from([32, 224, 227]))
def test_centres_survive_the_round_trip_through_a_file(encoding: str, row: float, col: float, size: int):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.mat"
        WRITERS[encoding](path, "truth", [{"pHW_center": column((row, col))}, {"pHW_center": NONE}])
        centre, empty = MatContent(path.read_bytes()).values("truth", "pHW_center")
    assert centre.tolist() == [[row], [col]]
    assert empty.size == 0
    photo = Photo("cat/1", path, 0, None, centre.T, np.ones((1, 2)), np.ones(1, int))
    x, y = AnimalPartSet([photo], size, "", CropMemory())._centres[0, 0].double() * 224 / size + 0.5
    assert (y.item(), x.item()) == pytest.approx((row, col), abs=1e-3)


def test_a_landmark_planted_on_a_coloured_dot_is_found_on_that_colour(tiny: TinyFolder):
    image = np.full((30, 40, 3), 127, np.uint8)
    image[6:10, 18:22] = (255, 0, 0)  # centre at x 19.5, y 7.5; in the 20 x 20 box from (4, 2): 15.5, 5.5 px
    tiny.photo(f"{CAT}_obj/img/img/00001.jpg", image)
    centre = tuple((p + 0.5) * 224 / 20 + 0.5 for p in (5.5, 15.5))
    tiny.truth(CAT, 1, [(centre,), (), (), ()])
    split, i = row_of(tiny.open(100), "cat/00001")
    batch = split.batch([i])
    x, y = batch.landmarks[0, 0].floor().long().tolist()
    red, green, blue = batch.pixels[0, :, y, x].tolist()
    assert red > 0.85
    assert green < 0.25
    assert blue < 0.25
    reddish = batch.pixels[0, 0] - batch.pixels[0, 1] > 0.4
    ys, xs = torch.nonzero(reddish, as_tuple=True)
    assert (xs.float().mean() + 0.5 - batch.landmarks[0, 0, 0]).abs() < 1
    assert (ys.float().mean() + 0.5 - batch.landmarks[0, 0, 1]).abs() < 1


def test_several_centres_are_a_missing_landmark_that_is_counted(tmp_path: Path, tiny: TinyFolder):
    tiny.truth(CAT, 1, [((10.0, 20.0), (30.0, 40.0), (50.0, 60.0)), ((7.0, 8.0),), (), ()])
    dataset = tiny.open()
    split, i = row_of(dataset, "cat/00001")
    assert split.centre_counts[i].tolist() == [3, 0]
    assert split.batch([i]).landmarks.isnan().all()
    split, i = row_of(dataset, "cat/00002")
    assert split.centre_counts[i].tolist() == [1, 0]
    assert split.batch([i]).landmarks[0, 0].tolist() == [7.5, 6.5]


def test_boxes_written_as_text_are_numbers(tiny: TinyFolder):
    tiny.data(CAT, [bndbox((5, 3, 24, 22), text=True)] * 4)
    split, i = row_of(tiny.open(), "cat/00002")
    assert split.photos[i].box == (5, 3, 24, 22)


def test_text_that_is_no_number_is_refused_with_its_file_and_row(tiny: TinyFolder):
    broken = bndbox((5, 3, 24, 22), text=True)
    broken["bndbox"]["xmax"] = "left"
    tiny.data(CAT, [bndbox((5, 3, 24, 22)), broken, *[bndbox((5, 3, 24, 22))] * 2])
    with pytest.raises(InputError, match=rf"{CAT}_obj/img/data.mat has 'left' in row 2"):
        tiny.open()


def test_boxes_come_from_the_truth_files_where_data_mat_is_absent(tiny: TinyFolder):
    (tiny.root / f"{CAT}_obj/img/data.mat").unlink()
    box = bndbox((2, 4, 20, 21), text=True)
    tiny.truth(CAT, 1, [((9.0, 9.0),), (), (), ()], [box, NONE, NONE, NONE])
    tiny.truth(CAT, 2, [(), ((9.0, 9.0),), ((1.0, 1.0), (2.0, 2.0)), ()], [NONE, box, np.zeros((0, 0)), NONE])
    with pytest.warns(UserWarning, match=rf"skipped 2 photos without a box, first .*{CAT}_obj/img/img/00003.jpg"):
        dataset = tiny.open()
    assert {name for name in ids(dataset) if name.startswith("cat/")} == {"cat/00001", "cat/00002"}
    split, i = row_of(dataset, "cat/00002")
    assert split.photos[i].box == (2, 4, 20, 21)


def test_an_absent_legs_file_means_no_legs_and_a_warning(tiny: TinyFolder):
    (tiny.root / TRUTH_FOLDER / CAT / "truth_part02.mat").unlink()
    with pytest.warns(UserWarning, match=f"no truth file for the legs of cat \\({CAT}\\)"):
        dataset = tiny.open()
    split, i = row_of(dataset, "cat/00001")
    landmarks = split.batch([i]).landmarks[0]
    assert landmarks[0].tolist() == [56.5, 112.5]
    assert landmarks[1].isnan().all()


def test_an_absent_head_file_is_an_error_naming_it(tiny: TinyFolder):
    (tiny.root / TRUTH_FOLDER / CAT / "truth_part01.mat").unlink()
    with pytest.raises(InputError, match=f"{CAT}/truth_part01.mat is missing"):
        tiny.open()


def test_negatives_are_whole_images_labelled_other_without_landmarks(tiny: TinyFolder):
    image = np.zeros((30, 40, 3), np.uint8)
    image[:, 20:] = (0, 255, 0)
    tiny.photo("neg/00001.JPEG", image)
    dataset = tiny.open(32)
    split, i = row_of(dataset, "neg/00001")
    batch = split.batch([i])
    assert dataset.classes[int(batch.labels[0])] == "other" == dataset.classes[-1]
    assert batch.landmarks.isnan().all()
    assert split.part_boxes([i]).isnan().all()
    assert batch.boxes.tolist() == [[0, 0, 32, 32]]
    green = batch.pixels[0, 1]
    assert green[:, :14].max() < 0.1
    assert green[:, 18:].min() > 0.9


def test_batches_are_the_same_at_every_call_whether_remembered_or_not(tiny: TinyFolder):
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    tiny.photo(f"{CAT}_obj/img/img/00001.jpg", noise)
    first, forgetful = tiny.open(64).train, tiny.open(64).train
    forgetful._memory.limit = 0
    once, again, fresh = first.batch([0, 1]), first.batch([0, 1]), [forgetful.batch([0, 1]) for _ in range(2)][-1]
    assert once.ids == ("cat/00001", "cat/00002")
    assert once.pixels.std() > 0.05
    assert torch.equal(once.pixels, once.pixels.clamp(0, 1))
    assert torch.equal(once.pixels, again.pixels)
    assert torch.equal(once.pixels, fresh.pixels)
    assert torch.equal(first.batch([1, 0]).pixels, once.pixels.flip(0))
    assert len(first.batch([])) == 0
    assert first.batch([]).pixels.shape == (0, 3, 64, 64)


def truncate(path: Path, share: float = 0.6) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.6, 0.95])
def test_a_truncated_jpeg_is_left_out_with_a_warning(tmp_path: Path, share: float):
    folder = TinyFolder(tmp_path, photos=18, negatives=20).write()
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    folder.photo(f"{CAT}_obj/img/img/00002.jpg", noise)
    before = ids(folder.open())
    truncate(tmp_path / f"{CAT}_obj/img/img/00002.jpg", share)
    with pytest.warns(UserWarning, match=rf"1 of 110 photos are truncated or no JPEG, first .*{CAT}.*00002.jpg"):
        after = ids(folder.open())
    assert before - after == {"cat/00002"}


def test_more_than_one_in_a_hundred_truncated_is_refused(tmp_path: Path):
    folder = TinyFolder(tmp_path, photos=18, negatives=20).write()
    for i in (3, 4):
        truncate(tmp_path / f"neg/{i:05d}.JPEG")
    with pytest.raises(InputError, match=r"2 of 110 photos .* first .*neg/00003.JPEG; copy"):
        folder.open()


def test_a_photo_that_breaks_after_opening_is_named(tiny: TinyFolder):
    dataset = tiny.open()
    path = tiny.root / f"{CAT}_obj/img/img/00001.jpg"
    split, i = row_of(dataset, "cat/00001")
    path.write_bytes(b"\xff\xd8 no pixels \xff\xd9")
    with pytest.raises(InputError, match=r"cannot decode .*00001.jpg"):
        split.batch([i])
    path.unlink()
    with pytest.raises(InputError, match=r"00001.jpg is gone"):
        split.batch([i])


def test_a_box_beside_its_photo_is_named(tiny: TinyFolder):
    tiny.data(CAT, [bndbox((50, 3, 60, 22))] * 4)
    split, i = row_of(tiny.open(), "cat/00001")
    with pytest.raises(InputError, match=r"00001.jpg: box 50 3 60 22 is outside the image of 40 x 30 px"):
        split.batch([i])


def test_numbers_that_are_infinite_are_named(tiny: TinyFolder):
    tiny.truth(CAT, 1, [(), ((np.inf, 3.0),), (), ()])
    with pytest.raises(InputError, match=r"truth_part01.mat has a centre that is no number in row 2; copy it again"):
        tiny.open()
    tiny.truth(CAT, 1, [()] * 4)
    tiny.data(CAT, [bndbox((5, 3, 24, 22)), bndbox((5, 3, np.inf, 22)), *[bndbox((5, 3, 24, 22))] * 2])
    with pytest.raises(InputError, match=r"data.mat has a box of 5.0 3.0 inf 22.0 in row 2; copy it again"):
        tiny.open()


def test_an_empty_box_leaves_the_photo_out_with_a_warning(tiny: TinyFolder):
    tiny.data(CAT, [bndbox((5, 3, 4, 22)), NONE, *[bndbox((5, 3, 24, 22))] * 2])
    with pytest.warns(UserWarning, match=r"skipped 2 photos without a box, first .*00001.jpg"):
        dataset = tiny.open()
    assert {name for name in ids(dataset) if name.startswith("cat/")} == {"cat/00003", "cat/00004"}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 0.9])
@pytest.mark.parametrize("file", [f"{CAT}_obj/img/data.mat", f"{TRUTH_FOLDER}/{CAT}/truth_part02.mat"])
def test_a_truncated_mat_file_is_named(tiny: TinyFolder, file: str, share: float):
    truncate(tiny.root / file, share)
    with pytest.raises(InputError, match=file) as error:
        tiny.open()
    assert "\n" not in str(error.value)
    assert "copy it again" in str(error.value)


def test_a_mat_file_of_another_format_or_with_another_variable_is_named(tiny: TinyFolder):
    path = tiny.truth(CAT, 1, [()] * 4)
    WRITERS[tiny.encoding](path, "lies", [{"pHW_center": NONE}] * 4)
    with pytest.raises(InputError, match=rf"{CAT}/truth_part01.mat has no truth\(i\)"):
        tiny.open()
    path.write_text("404: not found" * 20)
    with pytest.raises(InputError, match=r"part01.mat is no MATLAB v5 or v7.3 file: it begins with b'404: not f'"):
        tiny.open()


def test_the_encoding_is_told_by_signature_not_by_category(tmp_path: Path):
    folder = TinyFolder(tmp_path, "v5").write()
    folder.encoding = "v7.3"
    folder.truth(CAT, 1, [((11.0, 21.0),), (), (), ()])
    split, i = row_of(folder.open(), "cat/00001")
    assert split.batch([i]).landmarks[0, 0].tolist() == [20.5, 10.5]


def test_no_root_and_a_wrong_root_say_what_to_give(tmp_path: Path):
    with pytest.raises(
        InputError,
        match="animal_part needs --data-root DIR or `bench data add animal_part DIR`, the folder",
    ):
        AnimalPart(None, 224)
    with pytest.raises(InputError, match=r"no folder .*nowhere; name"):
        AnimalPart(tmp_path / "nowhere", 224)
    with pytest.raises(
        InputError, match=r"has no folder of a category, such as n02121808_obj/ \(cat\); name the folder"
    ):
        AnimalPart(tmp_path, 224)


def test_all_thirty_animals_are_known_by_their_ids_and_none_twice() -> None:
    assert len(AnimalPart.categories) == len(set(WNIDS.values())) == 30
    assert list(AnimalPart.categories) == sorted(AnimalPart.categories)
    assert AnimalPart.classes == (*AnimalPart.categories, "other")


def test_the_categories_are_those_of_the_folder_and_the_others_are_named(tmp_path: Path) -> None:
    folder = TinyFolder(tmp_path, animals=("zebra", "goldfish")).write()
    (tmp_path / TRUTH_FOLDER / WNIDS["goldfish"] / "truth_part02.mat").unlink()
    with pytest.warns(UserWarning, match="animal_part") as caught:
        dataset = folder.open()
    assert len(caught) == 1  # goldfish have no legs, and no file of them
    assert "holds 2 of 30 categories, without antelope, armadillo, bear" in str(caught[0].message)
    assert dataset.categories == AnimalPart.categories_in(tmp_path) == ("goldfish", "zebra")
    assert dataset.classes == ("goldfish", "zebra", "other")
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 2]


def test_without_negatives_single_tasks_need_a_folder_of_random_images(tmp_path: Path) -> None:
    root = TinyFolder(tmp_path / "tiny", animals=("cat", "fox")).write().root
    (root / "neg").rename(tmp_path / "random")
    workbench = Workbench(load(), root)
    with pytest.raises(InputError, match="animal_part has no random images to tell a category from; name a folder"):
        workbench.expand(["animal_part/cat"])
    with pytest.warns(UserWarning, match="skipped animal_part/cat and 1 more: animal_part has no random images"):
        assert workbench.expand(["animal_part/**"]) == [f"animal_part/multi{each}" for each in (":cat", ":fox", "")]
    with pytest.warns(UserWarning, match=r"holds no random photographs \(neg/\*.JPEG\); single tasks"):
        assert workbench.dataset("animal_part", 16).classes == ("cat", "fox")
    workbench = Workbench(load(), root, other=tmp_path / "random")
    assert workbench.expand(["animal_part/*"]) == ["animal_part/cat", "animal_part/fox"]
    view = workbench.dataset("animal_part", 16, "fox")
    assert view.train.labels.tolist() == [1, 1, 0]
    assert view.train.batch([2]).ids == ("other/00001.JPEG",)


def test_a_centre_far_outside_of_its_box_is_left_out_with_a_warning(tiny: TinyFolder) -> None:
    tiny.truth(CAT, 1, [((5000.0, 3.0),), ((-20.0, 7.0),), (), ()])
    with pytest.warns(UserWarning, match=r"truth_part01.mat has a centre far outside of its box, row 1"):
        dataset = tiny.open()
    for name, known in (("cat/00001", 0), ("cat/00002", 1)):
        split, i = row_of(dataset, name)
        assert split.centre_counts[i, 0] == known


def test_a_link_out_of_the_folder_is_refused(tiny: TinyFolder, tmp_path: Path) -> None:
    for path in (f"{CAT}_obj/img/img/00001.jpg", f"{TRUTH_FOLDER}/{CAT}/truth_part01.mat"):
        place, outside = tiny.root / path, tmp_path / Path(path).name
        place.rename(outside)
        place.symlink_to(outside)
        with pytest.raises(InputError, match=rf"{place.name} is a link to .*, expected a file in .*; copy the file"):
            tiny.open()
        place.unlink()
        outside.rename(place)


def test_a_half_copied_folder_is_refused_naming_what_is_missing(tiny: TinyFolder):
    last = tiny.root / f"{CAT}_obj/img/img/00004.jpg"
    content = last.read_bytes()
    last.unlink()
    with pytest.raises(InputError, match=r"00004.jpg is missing: 3 photos, but 4 rows in .*data.mat"):
        tiny.open()
    last.write_bytes(content)
    extra = last.with_name("00005.jpg")
    extra.write_bytes(content)
    with pytest.raises(InputError, match=r"has 5 photos, but .*data.mat has 4 rows"):
        tiny.open()
    extra.unlink()
    tiny.truth(CAT, 2, [()] * 3)
    with pytest.raises(InputError, match=r"truth_part02.mat has 3 rows for 4 photos"):
        tiny.open()
    tiny.truth(CAT, 2, [()] * 4)
    shutil.rmtree(tiny.root / f"{CAT}_obj/img/img")
    with pytest.raises(InputError, match=rf"no photos .*{CAT}_obj/img/img/\*.jpg; its folder must hold"):
        tiny.open()


def test_the_fingerprint_follows_the_data_and_not_the_place_or_the_time(tmp_path: Path):
    def prints(folder: TinyFolder, size: int = 32) -> tuple[str, str]:
        dataset = folder.open(size)
        return dataset.train.fingerprint, dataset.test.fingerprint

    first = TinyFolder(tmp_path / "a").write()
    train, test = prints(first)
    assert train != test
    copy = tmp_path / "elsewhere"
    shutil.copytree(first.root, copy, copy_function=shutil.copyfile)  # new times
    assert prints(TinyFolder(copy)) == (train, test)
    assert prints(first, 64)[0] != train
    last = copy / "neg/00002.JPEG"
    last.write_bytes(last.read_bytes() + b"\0")
    assert prints(TinyFolder(copy))[0] != train
    first.truth(CAT, 1, [((113.0, 58.0),), (), (), ()])
    assert prints(first)[0] != train


counts_of_groups = st.lists(st.tuples(st.integers(0, 4), st.lists(st.booleans(), max_size=30)), max_size=6)


@settings(max_examples=25, deadline=None)
@given(counts_of_groups)
def test_halves_are_disjoint_and_share_each_class_and_its_annotated_photos(groups: list[tuple[int, list[bool]]]):
    photos = [
        Photo(f"{g}/{i:05d}", Path(), label, None, np.zeros((1, 2)), np.zeros((1, 2)), np.array([int(known)]))
        for g, (label, annotated) in enumerate(groups)
        for i, known in enumerate(annotated)
    ]
    train, test = halves(photos)
    assert sorted(p.id for p in train + test) == sorted(p.id for p in photos)
    for label in range(5):
        for known in (0, 1):
            sizes = [sum(p.label == label and p.found[0] == known for p in half) for half in (train, test)]
            assert sizes[0] - sizes[1] in (0, 1)


@pytest.fixture(scope="module")
def real() -> AnimalPart:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".* holds 5 of 30 categories, without antelope, ")
        return AnimalPart(REAL, 224)


@needs_photos
def test_counts_of_the_real_photos_are_the_published_ones(real: AnimalPart):
    table = {
        "cat": (529, 192, 130, 99),
        "cattle": (230, 177, 115, 104),
        "dog": (688, 206, 138, 121),
        "horse": (752, 180, 133, 110),
        "sheep": (217, 159, 96, 89),
    }
    labels = torch.cat([real.train.labels, real.test.labels])
    counts = torch.cat([real.train.centre_counts, real.test.centre_counts])
    for label, category in enumerate(real.categories):
        head, legs = counts[labels == label].T  # the table: exactly one head, at least one of the legs, any of both
        found = (len(head), int((head == 1).sum()), int((legs >= 1).sum()), int(((head >= 1) & (legs >= 1)).sum()))
        assert found == table[category]
    assert int((labels == real.classes.index("other")).sum()) == 1000


@needs_photos
def test_annotated_real_photos_are_in_train_and_test_in_equal_share(real: AnimalPart):
    usable = [(split.centre_counts == 1).any(1) for split in (real.train, real.test)]
    for label in range(len(real.classes)):
        for annotated in (True, False):
            sizes = [
                int(((split.labels == label) & (known == annotated)).sum())
                for split, known in zip((real.train, real.test), usable, strict=True)
            ]
            assert sizes[0] - sizes[1] in (0, 1)
    assert not {p.id for p in real.train.photos} & {p.id for p in real.test.photos}


@needs_photos
def test_real_landmarks_are_at_the_centres_of_their_part_boxes_and_inside_the_crop(real: AnimalPart):
    rows = torch.nonzero((real.test.centre_counts == 1).all(1))[::40, 0].tolist()
    batch, boxes = real.test.batch(rows), real.test.part_boxes(rows)
    assert ((batch.landmarks > 0) & (batch.landmarks < 224)).all()
    assert ((boxes[..., 2:] - boxes[..., :2]) > 1).all()
    uncut = ((boxes > 0) & (boxes < 224)).all(-1)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert torch.allclose(middle[uncut], batch.landmarks[uncut], atol=1e-4)
    assert uncut.sum() > 3
    assert batch.pixels.std((1, 2, 3)).min() > 0.02
