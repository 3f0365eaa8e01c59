"""Which pictures an explainer gets: those it has something for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_autoencoder

from partbench.pictures import gallery
from partbench.registry import load
from partbench.running.cell import fit


@pytest.mark.parametrize(
    ("name", "options", "drawn"),
    [
        ("autoencoder", {"epochs": 1}, ["beside", "gradcam", "layers", "training"]),
        ("interp_cnn", {"epochs": 1}, ["beside", "gradcam"]),
        ("top_conv", {}, []),
        ("lasso", {}, ["contributions"]),
        ("z", {}, []),
        ("centre_map", {}, []),
    ],
)
def test_further_pictures_follow_what_the_explainer_offers(tmp_path: Path, monkeypatch, name, options, drawn) -> None:
    monkeypatch.setattr("partbench.pictures.top_images.LEAST", 5)  # the toy has five filters
    monkeypatch.setattr("partbench.pictures.gallery.draw", lambda view, path: path)
    monkeypatch.delitem(gallery.FURTHER, "filters")
    task, explainer = toy_autoencoder.task(tmp_path), load().explainers[name].cls(**options)
    fit(explainer, task)
    bench = SimpleNamespace(resized=lambda task, size: task.dataset)
    picture = tmp_path / "pictures" / "a.b.png"
    paths = gallery.draw_pictures(bench, task, explainer, picture, [0, 1])
    assert paths == [picture, *(picture.with_name(f"a.b-{suffix}.png") for suffix in drawn)]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths[1:])
    assert len(list(picture.parent.glob("*"))) == len(drawn)
