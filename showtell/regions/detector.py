"""The boxes that an object detector finds in a photo, each cut out and encoded: one region per object.

The detector gives only the boxes; the encoder computes the features of each crop. So any detector works with any
encoder. Neither trains. Detectors come from transformers (DETR, RT-DETR and others, from the hub or a folder), or from
torchvision if its compiled operators are installed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import PAGE, drop_pages, hub_is_out_of_reach, in_hub_cache, on_one_line, place_of
from showtell.plumbing.reading import check_model_files
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.regions.crops import Box, Crops, Pool
from showtell.settings.bounds import Count, Share

WAY_OUT = "set regions.model=FOLDER to read a local folder, or regions=windows, which needs no detector"
TORCHVISION = "torchvision:"


class Detected(NamedTuple):
    """A detector's boxes in pixels (M 4) and their scores (M), in any order."""

    boxes: Tensor
    scores: Tensor


class Detector(Crops):
    """The `count` boxes with the highest scores, at least `min_score`. If there is none, the whole photo is the box.

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
        """The whole photo, then `count` rows: boxes with the highest scores first, then None."""
        detected = self.detect(self.detector, image)
        best = detected.scores.argsort(descending=True, stable=True)
        best = best[detected.scores[best] >= self.min_score]
        boxes = [_whole_pixels(box, image.size) for box in detected.boxes[best].tolist()]
        whole = (0, 0, *image.size)
        kept = [box for box in boxes if box is not None][: self.count] or [whole]
        return [whole, *kept, *[None] * (self.count - len(kept))]

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        vectors = self.vectors(pixels, view)
        mask = (view[:, 1:, 2:] > view[:, 1:, :2]).all(-1)
        return Features(vectors[:, 1:], mask, vectors[:, 0], view[:, 1:])


def _whole_pixels(box: list[float], size: tuple[int, int]) -> Box | None:
    """The box in whole pixels, cut at the photo's edges; None if nothing is left."""
    left, top, right, bottom = (
        round(min(max(edge, 0), length)) for edge, length in zip(box, (*size, *size), strict=True)
    )
    return (left, top, right, bottom) if left < right and top < bottom else None


Detect = Callable[[Any, Image.Image], Detected]
Loaded = tuple[nn.Module, Detect, tuple[str, ...]]  # the last entry: settings that are not in the weights


def _refused(model: str, wrong: str, **more: Any) -> InputError:
    """An error about regions.model; `more` is its other data: what is allowed, advice."""
    return InputError(f"is {model!r}{wrong}", key="regions.model", value=model, **more)


def _transformers(model: str) -> Loaded:
    repair_torchvision()
    try:
        import transformers
    except ImportError:
        wrong = f"is {model!r}, which needs transformers"
        advice = "pip install 'showtell[clip]'"
        raise RecipeError(wrong, key="regions.model", value=model, advice=advice) from None
    folder = at_home(model, "regions.model")
    local = bool(model) and folder.is_dir()
    source = str(folder)
    if local:
        check_model_files(folder)
    else:
        try:
            source = str(place_of(model))
        except InputError as error:
            raise _refused(model, f", which {error.wrong}", takes="a hub id or a folder") from None
        if not in_hub_cache(source) and hub_is_out_of_reach():
            wrong = ", which is not in the local cache, and the hub is out of reach"
            raise _refused(model, wrong, advice=WAY_OUT)
    try:
        safe: dict[str, Any] = {"trust_remote_code": False}
        network = transformers.AutoModelForObjectDetection.from_pretrained(source, weights_only=True, **safe)
        processor = transformers.AutoImageProcessor.from_pretrained(source, **safe)
    except Exception as error:  # a damaged folder can make the library raise any exception
        reason = PAGE if drop_pages() else on_one_line(error)
        raise _refused(model, f", but no detector can be loaded from it ({reason})", advice=WAY_OUT) from error

    def detect(network: Any, image: Image.Image) -> Detected:
        inputs = processor(images=image, return_tensors="pt").to(network.device)
        sizes = torch.tensor([[image.height, image.width]])
        (output,) = processor.post_process_object_detection(network(**inputs), threshold=0.0, target_sizes=sizes)
        return Detected(output["boxes"].cpu(), output["scores"].cpu())

    return network, detect, (processor.to_json_string(),)


def _torchvision(model: str) -> Loaded:
    repair_torchvision()
    from torchvision import ops
    from torchvision.models import detection, get_model, get_model_weights, list_models
    from torchvision.transforms.functional import pil_to_tensor

    name = model.removeprefix(TORCHVISION)
    known = [each for each in list_models(detection) if "keypoint" not in each]
    if name not in known:
        wrong = f"is {model!r}, which is no detector"
        raise RecipeError(wrong, key="regions.model", value=model, taker="torchvision has", takes=known)
    try:
        ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (NotImplementedError, RuntimeError) as error:
        wrong = f"is {model!r}, but torchvision's compiled operators do not work here"
        advice = "install the torchvision that was built for your torch, or use a detector of transformers"
        raise RecipeError(wrong, key="regions.model", value=model, advice=advice) from error
    weights = get_model_weights(name)["DEFAULT"]
    try:
        network = get_model(name, weights=weights)
    except Exception as error:  # a proxy that answers with a web page makes it raise nearly anything
        raise _refused(model, f", but its weights cannot be downloaded ({error})", advice=WAY_OUT) from error

    def detect(network: Any, image: Image.Image) -> Detected:
        pixels = pil_to_tensor(image).to(next(network.parameters()).device) / 255
        (output,) = network([pixels])
        return Detected(output["boxes"].cpu(), output["scores"].cpu())

    return network, detect, ()
