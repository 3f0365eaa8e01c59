"""Photographs: crops, shrinking, and the memory of crops."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from partbench import InputError
from partbench.datasets.photograph import CropMemory, as_pixels, crop, crop_to_edges, decode, is_whole, scaled


def test_a_crop_holds_exactly_the_pixels_of_the_box():
    image = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    assert np.array_equal(crop(image, (3, 5, 6, 8), 4), image[4:8, 2:6])
    assert np.array_equal(crop(image, (-3, -2, 4, 4), 4), image[:4, :4])  # what lies outside is cut off
    assert np.array_equal(crop(image, (7, 9, 99, 99), 4), image[8:, 6:])
    with pytest.raises(ValueError, match="outside the image of 10 x 12 px"):
        crop(image, (11, 1, 15, 4), 4)


def test_edges_are_those_of_pixels_and_places_move_with_the_crop():
    image = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    assert np.array_equal(crop_to_edges(image, (2, 4, 6, 8), 4), image[4:8, 2:6])
    frames = np.array([2.0, 4, 6, 8]).reshape(1, 1, 2, 2)
    places = np.array([[[2.0, 4], [6, 8], [3, 7], [np.nan, np.nan]]])
    assert scaled(places, frames, 8)[0, :3].tolist() == [[0, 0], [8, 8], [2, 6]]
    assert scaled(places, frames, 8)[0, 3].isnan().all()


def test_shrinking_averages_over_areas():
    board = (np.indices((8, 8)).sum(0) % 2 * 200).astype(np.uint8)[..., None].repeat(3, 2)
    assert np.array_equal(crop(board, None, 4), np.full((4, 4, 3), 100))


def test_memory_of_crops_stays_within_its_limit():
    made = []
    memory = CropMemory(limit=250)

    def make(key: str) -> np.ndarray:
        made.append(key)
        return np.zeros(100, np.uint8)

    for key in "abcabc":
        memory.get(key, lambda key=key: make(key))
    assert memory.bytes == 200
    assert made == ["a", "b", "c", "c"]


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG of 8 x 8 px whose header declares another size."""
    data = bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


@pytest.mark.parametrize(("width", "height"), [(65_000, 65_000), (9_500, 9_000), (40_000, 40_000)])
def test_a_photo_that_declares_an_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path, width, height):
    path = tmp_path / "bomb.jpg"
    path.write_bytes(jpeg_of(width, height))
    with pytest.raises(InputError, match=r"bomb.jpg declares more than 80 megapixels; copy it again"):
        decode(path)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff\xd9", jpeg_of(0, 8), b"II*\0" + bytes(100)])
def test_what_is_no_photo_is_named(tmp_path: Path, data: bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"cannot decode .*photo.jpg \({len(data)} bytes\); copy it again"):
        decode(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_the_pixels_are_red_green_blue_in_every_format(tmp_path: Path, suffix: str):
    image = np.zeros((9, 7, 3), np.uint8)
    image[..., 2] = 255
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(bytes(cv2.imencode(suffix, image)[1]))
    found = decode(path)
    assert found.shape == (9, 7, 3)
    assert found[..., 0].min() > 250
    assert found[..., 1:].max() < 5


def red(mode: str) -> Image.Image:
    """A red image, 20 px wide and 10 high, with a blue column at the left."""
    image = Image.new("RGB", (20, 10), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 4, 10))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("CMYK", ".jpg"), ("P", ".png"), ("P", ".bmp"), ("RGBA", ".png"), ("L", ".jpg"), ("L", ".png"), ("1", ".png")],
)
def test_images_of_every_kind_become_red_green_blue(tmp_path: Path, mode: str, suffix: str) -> None:
    red(mode).save(tmp_path / f"photo{suffix}")
    found = decode(tmp_path / f"photo{suffix}").astype(int)
    expected = np.array(red(mode).convert("RGB")).astype(int)
    assert found.shape == (10, 20, 3)
    away = abs(found - expected)[:, 8:]  # beyond the edge that JPEG blurs
    assert away.max() < 60 if mode == "CMYK" else away.max() < 10


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 200).astype(np.uint16).reshape(10, 20)
    cv2.imwrite(str(tmp_path / "photo.png"), values)
    found = decode(tmp_path / "photo.png")
    assert found.dtype == np.uint8
    assert abs(found[..., 0].astype(int) - (values // 257)).max() <= 1


def test_an_image_that_exif_turns_is_read_as_it_was_annotated(tmp_path: Path) -> None:
    image = red("RGB")
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=image.getexif())
    found = decode(tmp_path / "turned.jpg")
    assert found.shape == (10, 20, 3)
    assert found[5, 1, 2] > 200


@pytest.mark.parametrize("kind", ["gif", "webp", "tiff", "html"])
def test_a_renamed_file_of_another_kind_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    if kind == "html":
        path.write_text("<!doctype html><title>404</title>")
    else:
        red("RGB").save(path, format=kind)
    with pytest.raises(InputError, match=r"cannot decode .*photo\.jpg .*; copy it again"):
        decode(path)
    assert not is_whole(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(("jpeg", "png", "bmp")), st.floats(0, 1), st.integers(0, 7))
def test_damaged_images_are_decoded_or_named_in_one_line(tmp_path: Path, kind: str, place: float, bit: int) -> None:
    path, buffer = tmp_path / "photo.jpg", io.BytesIO()
    red("RGB").save(buffer, format=kind)
    content = bytearray(buffer.getvalue())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    for damaged in (content, content[: int(place * len(content))]):
        path.write_bytes(damaged)
        found = pixels_or_refusal(path)
        if isinstance(found, str):
            assert "photo.jpg" in found
            assert "\n" not in found
        else:
            assert found.ndim == 3
            assert found.dtype == np.uint8


def pixels_or_refusal(path: Path) -> np.ndarray | str:
    try:
        return decode(path)
    except InputError as error:
        return str(error)


def test_pixels_lie_with_their_channels_last_whatever_the_number_of_images() -> None:
    for count in (2, 5):
        pixels = as_pixels([np.full((4, 4, 3), value, np.uint8) for value in range(count)], 4)
        assert pixels.is_contiguous(memory_format=torch.channels_last)
        assert not pixels.is_contiguous()
        assert pixels[:, 0, 0, 0].tolist() == pytest.approx([value / 255 for value in range(count)])
