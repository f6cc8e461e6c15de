"""A detector's boxes are cropped and encoded as windows are; the detector is a tiny DETR with random weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from showtell.cache import encode, open_source
from showtell.data.record import Record
from showtell.encoders import ENCODERS, Encoder
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.regions.detector import Detected, Detector
from tests.regions.test_windows import photo


@pytest.fixture(scope="module")
def lite() -> Encoder:
    return ENCODERS["lite"](image_size=32)


@pytest.fixture(scope="module")
def detr(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder as `save_pretrained` leaves it."""
    repair_torchvision()
    import transformers

    torch.manual_seed(0)
    small: dict[str, Any] = {"depths": [1, 1], "hidden_sizes": [8, 8], "embedding_size": 8, "layer_type": "basic"}
    backbone = transformers.ResNetConfig(**small, out_features=["stage2"])
    layers = {
        f"{part}_{what}": size
        for part in ("encoder", "decoder")
        for what, size in (("layers", 1), ("ffn_dim", 12), ("attention_heads", 2))
    }
    config = transformers.DetrConfig(
        backbone_config=backbone,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        num_queries=7,
        d_model=16,
        num_labels=3,
        **layers,
    )
    folder = tmp_path_factory.mktemp("detr")
    transformers.DetrForObjectDetection(config).save_pretrained(folder)
    transformers.DetrImageProcessor(size={"shortest_edge": 48, "longest_edge": 64}).save_pretrained(folder)
    return str(folder)


def test_a_detector_of_transformers_gives_the_crops_of_its_best_boxes(lite: Encoder, detr: str) -> None:
    encoder = Detector(lite, model=detr, count=5, min_score=0.0)
    image = photo(61, 47)
    found = encoder.detect(encoder.detector, image)
    assert found.boxes.shape == (7, 4) and found.scores.shape == (7,)
    features = encode(encoder, [image])
    assert features.tokens.shape == (1, 5, lite.dim) and features.mask.any()
    for row, box in enumerate(encoder.boxes(image)[1:]):
        if box is None:
            assert not features.mask[0, row]
        else:
            by_hand = encode(lite, [image.crop(box)]).pooled[0]
            torch.testing.assert_close(features.tokens[0, row], by_hand, rtol=2e-3, atol=2e-3)


def fixed(encoder: Detector, boxes: list[list[float]], scores: list[float]) -> Detector:
    encoder.detect = lambda network, image: Detected(torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores))
    return encoder


def test_the_likeliest_boxes_come_first_and_what_is_missing_is_masked(lite: Encoder, detr: str) -> None:
    boxes = [[0, 0, 10, 10], [5, 5, 70, 30], [20, 0, 20.3, 40], [1, 2, 31, 42], [0, 0, 9, 9]]
    encoder = fixed(Detector(lite, model=detr, count=4, min_score=0.5), boxes, [0.6, 0.9, 0.95, 0.7, 0.49])
    image = photo(60, 44)
    # 70 is cut to the photo; the third has no width in whole pixels; the last is too unlikely
    assert encoder.boxes(image) == [(0, 0, 60, 44), (5, 5, 60, 30), (1, 2, 31, 42), (0, 0, 10, 10), None]
    features = encode(encoder, [image])
    assert features.mask.tolist() == [[True, True, True, False]]
    torch.testing.assert_close(features.boxes[0, 0], torch.tensor([5 / 60, 5 / 44, 1, 30 / 44]))
    torch.testing.assert_close(features.pooled[0], features.tokens[0, :3].amax(0))


def test_where_nothing_is_found_the_whole_photo_is_the_region(lite: Encoder, detr: str) -> None:
    encoder = fixed(Detector(lite, model=detr, count=3), [], [])
    features = encode(encoder, [photo()])
    assert features.mask.tolist() == [[True, False, False]] and features.boxes[0, 0].tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(features.pooled, encode(lite, [photo()]).pooled, rtol=2e-3, atol=2e-3)


def test_pool_none_is_the_whole_photos_vector(lite: Encoder, detr: str) -> None:
    encoder = fixed(Detector(lite, model=detr, count=3, pool="none"), [[0, 0, 10, 10]], [0.9])
    torch.testing.assert_close(encode(encoder, [photo()]).pooled, encode(lite, [photo()]).pooled, rtol=2e-3, atol=2e-3)


def test_live_and_cached_agree(lite: Encoder, detr: str, tmp_path: Path) -> None:
    encoder = Detector(lite, model=detr, count=3, min_score=0.0)
    images = [photo(seed=seed) for seed in range(3)]
    records = []
    for number, image in enumerate(images):
        image.save(tmp_path / f"{number}.png")
        records.append(Record(f"{number}.png", tmp_path / f"{number}.png", (), "train"))
    cached = open_source(records, encoder, folder=tmp_path / "cache")(range(3))
    for live, kept in zip(encode(encoder, images), cached, strict=True):
        assert torch.equal(live, kept)


@pytest.mark.slow
def test_the_fingerprint_knows_what_the_crops_depend_on(lite: Encoder, detr: str) -> None:
    first = Detector(lite, model=detr)
    assert first.fingerprint == Detector(lite, model=detr, pool="mean").fingerprint
    assert first.fingerprint != Detector(lite, model=detr, count=3).fingerprint
    with torch.no_grad():
        next(first.detector.parameters()).view(-1)[0] += 1
    assert first.fingerprint != Detector(lite, model=detr).fingerprint


def test_the_fingerprint_knows_how_the_detector_sees_the_photo(lite: Encoder, detr: str, tmp_path: Path) -> None:
    """The same weights find other boxes in a photo of another size, so features of before are not taken."""
    for name in ("same", "other"):
        shutil.copytree(detr, tmp_path / name)
    settings = tmp_path / "other" / "preprocessor_config.json"
    read = json.loads(settings.read_text())
    settings.write_text(json.dumps(read | {"size": {"shortest_edge": 32, "longest_edge": 64}}))
    same, other = (Detector(lite, model=str(tmp_path / name)).fingerprint for name in ("same", "other"))
    assert same == Detector(lite, model=detr).fingerprint != other


def test_the_detector_stays_frozen(lite: Encoder, detr: str) -> None:
    encoder = Detector(lite, model=detr).train()
    assert not any(p.requires_grad for p in encoder.parameters()) and not any(m.training for m in encoder.modules())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("facebook/detr-resnet-50", "which is not in the local cache, .*; set regions.model=FOLDER"),
        ("./nowhere", "which is no folder"),
        ("", "which is empty"),
    ],
)
def test_a_detector_that_is_not_there_is_told(model: str, said: str, lite: Encoder) -> None:
    with pytest.raises(InputError, match=f"^regions.model is '{model}', {said}"):
        Detector(lite, model=model)


def test_a_folder_that_holds_no_detector_is_told(lite: Encoder, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match=r"no detector can be loaded from it \(.*; set regions\.model=FOLDER"):
        Detector(lite, model=str(tmp_path))


def test_a_name_that_torchvision_does_not_know_is_told(lite: Encoder) -> None:
    with pytest.raises(
        RecipeError, match=r"torchvision:yolo', which is no detector; torchvision has .*fasterrcnn_resnet50_fpn"
    ):
        Detector(lite, model="torchvision:yolo")


def test_torchvision_without_its_operators_is_told(lite: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    repair_torchvision()
    from torchvision import ops

    def lacking(*arguments: Any) -> None:
        raise NotImplementedError("Could not run 'torchvision::nms'")

    monkeypatch.setattr(ops, "nms", lacking)
    with pytest.raises(RecipeError, match="torchvision's compiled operators do not work here; install"):
        Detector(lite, model="torchvision:fasterrcnn_resnet50_fpn_v2")


def test_an_image_is_a_batch_of_one_as_good(lite: Encoder, detr: str) -> None:
    encoder = Detector(lite, model=detr, count=2, min_score=0.0)
    images = [photo(), Image.new("RGB", (30, 20))]
    both = encode(encoder, images)
    for row, image in enumerate(images):
        assert torch.equal(encode(encoder, [image]).tokens[0], both.tokens[row])
