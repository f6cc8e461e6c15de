"""The boxes that a detector finds in a photo, each cut out and encoded: regions where the things are.

The detector says where, the encoder says what: its features are the ones a decoder would get from the whole photo, so
any detector goes with any encoder. Neither trains. A detector is one of transformers (DETR, RT-DETR and the like, from
the hub or a folder), or of torchvision where its compiled operators are there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.hub import hub_is_out_of_reach, in_hub_cache
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.regions.crops import Box, Crops, Pool
from showtell.settings.bounds import Count, Share

WAY_OUT = "give a folder with regions.model=FOLDER, or take regions=windows, which needs no detector"
TORCHVISION = "torchvision:"


class Found(NamedTuple):
    """A detector's boxes in pixels (M 4) with their scores (M), in any order."""

    boxes: Tensor
    scores: Tensor


class Detector(Crops):
    """The `count` likeliest boxes with a score of `min_score` or more; where there is none, the whole photo is one.

    `model` is a hub id or a folder of transformers, or `torchvision:fasterrcnn_resnet50_fpn_v2`.
    """

    count: int

    def __init__(
        self, encoder: Encoder, *, model: str, count: Count = 10, min_score: Share = 0.3, pool: Pool = "max"
    ) -> None:
        super().__init__(encoder, "detector", pool)
        self.count, self.min_score, self.model = count, min_score, model
        load = _torchvision if model.startswith(TORCHVISION) else _transformers
        self.detector, self.detect, self.seeing = load(model)
        self.detector.requires_grad_(False)
        self.train(False)

    @property
    def fingerprint(self) -> str:
        settings = ("detector", self.model.startswith(TORCHVISION), self.count, self.min_score, *self.seeing)
        return digest((*settings, self.encoder.fingerprint), self.detector.state_dict())

    @torch.no_grad()
    def boxes(self, image: Image.Image) -> list[Box | None]:
        """The whole photo, then `count` rows: boxes, the likeliest first, or None."""
        found = self.detect(self.detector, image)
        best = found.scores.argsort(descending=True, stable=True)
        best = best[found.scores[best] >= self.min_score]
        boxes = [_whole_pixels(box, image.size) for box in found.boxes[best].tolist()]
        whole = (0, 0, *image.size)
        kept = [box for box in boxes if box is not None][: self.count] or [whole]
        return [whole, *kept, *[None] * (self.count - len(kept))]

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        vectors = self.vectors(pixels, view)
        mask = (view[:, 1:, 2:] > view[:, 1:, :2]).all(-1)
        return Features(vectors[:, 1:], mask, vectors[:, 0], view[:, 1:])


def _whole_pixels(box: list[float], size: tuple[int, int]) -> Box | None:
    """The box within the photo; None if nothing of it is left."""
    left, top, right, bottom = (
        round(min(max(edge, 0), length)) for edge, length in zip(box, (*size, *size), strict=True)
    )
    return (left, top, right, bottom) if left < right and top < bottom else None


Detect = Callable[[Any, Image.Image], Found]
Loaded = tuple[nn.Module, Detect, tuple[str, ...]]  # the last: settings that are not in the weights


def _transformers(model: str) -> Loaded:
    repair_torchvision()
    try:
        import transformers
    except ImportError:
        raise RecipeError(f"regions.model={model} needs transformers; pip install 'showtell[clip]'") from None
    folder = Path(model).expanduser()
    local = bool(model) and folder.is_dir()
    source = str(folder) if local else model
    if not local:
        if not model or model.startswith((".", "/", "~")) or model.count("/") > 1:
            raise InputError(f"regions.model={model}: there is no such folder")
        if not in_hub_cache(model) and hub_is_out_of_reach():
            raise InputError(f"regions.model={model}: not in the local cache and the hub is out of reach; {WAY_OUT}")
    try:
        safe: dict[str, Any] = {"trust_remote_code": False}
        network = transformers.AutoModelForObjectDetection.from_pretrained(source, weights_only=True, **safe)
        processor = transformers.AutoImageProcessor.from_pretrained(source, **safe)
    except Exception as error:  # a damaged or foreign folder makes the library raise nearly anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"regions.model={model}: no detector can be loaded ({reason}); {WAY_OUT}") from error

    def detect(network: Any, image: Image.Image) -> Found:
        inputs = processor(images=image, return_tensors="pt").to(network.device)
        sizes = torch.tensor([[image.height, image.width]])
        (found,) = processor.post_process_object_detection(network(**inputs), threshold=0.0, target_sizes=sizes)
        return Found(found["boxes"].cpu(), found["scores"].cpu())

    return network, detect, (processor.to_json_string(),)


def _torchvision(model: str) -> Loaded:
    repair_torchvision()
    from torchvision import ops
    from torchvision.models import detection, get_model, get_model_weights, list_models
    from torchvision.transforms.functional import pil_to_tensor

    name = model.removeprefix(TORCHVISION)
    known = [each for each in list_models(detection) if "keypoint" not in each]
    if name not in known:
        raise RecipeError(f"regions.model={model} is no detector; torchvision has {', '.join(known)}")
    try:
        ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (NotImplementedError, RuntimeError) as error:
        raise RecipeError(
            f"regions.model={model} needs torchvision's compiled operators, and those of this install do not work; "
            "install the torchvision that was built for your torch, or name a detector of transformers"
        ) from error
    weights = get_model_weights(name)["DEFAULT"]
    try:
        network = get_model(name, weights=weights)
    except OSError as error:
        raise InputError(f"regions.model={model}: its weights cannot be fetched ({error}); {WAY_OUT}") from error

    def detect(network: Any, image: Image.Image) -> Found:
        pixels = pil_to_tensor(image).to(next(network.parameters()).device) / 255
        (found,) = network([pixels])
        return Found(found["boxes"].cpu(), found["scores"].cpu())

    return network, detect, ()
