"""The results of the demo -> the sections of its page."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showtell.captioners import Captioner, Neural
from showtell.captioners.caption import Caption
from showtell.data.images import open_image
from showtell.data.record import Record
from showtell.data.scenes.judge import Verdict
from showtell.explain.explain import explain
from showtell.loading import load_folder
from showtell.metrics.score import Score
from showtell.report import figures
from showtell.report.heat import overlay, thumbnail
from showtell.report.page import Card, Figure, Looked, Number, Section, write_page
from showtell.training.log import read_log

SIDE, WORD_SIDE = 480, 200  # pixels of the longer side of a photo and of a word's picture
RIGHT, WRONG = 8, 4  # how many scenes with right and with wrong captions the page shows
EXPLAINED_PHOTOS = ("chelsea.png", "astronaut.png")  # if they are missing, the first two


@dataclass(frozen=True)
class PhotoResults:
    """The packaged model's captions of real photographs."""

    model: str
    captioner: Captioner
    paths: dict[str, Path]
    captions: dict[str, Caption]


@dataclass(frozen=True)
class SceneResults:
    """A run on scenes, and its captions of the test split."""

    recipe: str
    overrides: Sequence[str]
    run: Path
    records: Sequence[Record]
    captions: dict[str, str]
    verdicts: dict[str, Verdict]
    scores: dict[str, Score]
    seconds: float  # of training

    @property
    def accuracy(self) -> float:
        return sum(verdict.right for verdict in self.verdicts.values()) / len(self.verdicts)


def write_demo_page(path: Path, photos: PhotoResults, scenes: SceneResults) -> Path:
    captioner = load_folder(scenes.run)
    assert isinstance(captioner, Neural)
    lead = (
        "This page shows two captioners. One comes with Showtell; it captions real photographs. The other was trained "
        "just now on drawn scenes."
    )
    sections = [
        _summary(photos, scenes),
        _photographs(photos),
        _photographs_explained(photos),
        _training(scenes, captioner),
        _held_out(scenes),
        _scenes_explained(scenes, captioner),
    ]
    return write_page(path, "Showtell demo", lead, sections)


def _summary(photos: PhotoResults, scenes: SceneResults) -> Section:
    right = sum(verdict.right for verdict in scenes.verdicts.values())
    numbers = [
        Number(
            "Captions completely right", f"{scenes.accuracy:.1%}", f"{right} of {len(scenes.verdicts)} held-out scenes"
        ),
        *[Number(name, f"{scenes.scores[name].value:.3f}", "the same captions") for name in ("BLEU-4", "CIDEr-D")],
        Number("Training", f"{scenes.seconds:.0f} s", f"recipe {scenes.recipe}, on this machine"),
        Number("Photographs", str(len(photos.captions)), f"captioned by {photos.model}"),
    ]
    return Section("In numbers", numbers=numbers)


def _photographs(photos: PhotoResults) -> Section:
    cards = [
        Card(figures.picture_uri(thumbnail(open_image(path), SIDE)), name, photos.captions[name].text)
        for name, path in photos.paths.items()
    ]
    protocol = [
        ("photographs", f"inside scikit-image {importlib.metadata.version('scikit-image')}; public domain or CC0"),
        ("decoding", _options(photos.captioner.decode)),
        ("command", f"showtell caption PHOTO --model {photos.model}"),
    ]
    text = (
        "The model never saw these photographs in training. Most of them show things that its training data do not "
        "have, so the captions also show its limits."
    )
    return Section(f"Real photographs, captioned by {photos.model}", text, cards=cards, protocol=protocol)


def _photographs_explained(photos: PhotoResults) -> Section:
    chosen = [name for name in EXPLAINED_PHOTOS if name in photos.paths] or list(photos.paths)[:2]
    looked = [_looked(photos.captioner, photos.paths[name]) for name in chosen]
    text = (
        "For each word, the bright part is what made the word likelier (attention x gradient). For small words such as "
        "a or the, it is often anywhere, because the words before are enough to predict them."
    )
    command = f"showtell explain PHOTO --model {photos.model}"
    return Section(f"What {photos.model} looked at", text, looked=looked, protocol=[("command", command)])


def _training(scenes: SceneResults, captioner: Neural) -> Section:
    rows = {scenes.recipe: read_log(scenes.run)}
    light, dark = (figures.data_uri(figures.png(figures.loss_figure(rows, theme))) for theme in ("light", "dark"))
    settings = captioner.recipe["train"]
    parts = (captioner.encoder, captioner.decoder)
    trained = sum(p.numel() for part in parts for p in part.parameters() if p.requires_grad)
    steps = max((row["step"] for row in rows[scenes.recipe]), default=0)
    text = "The loss during training: cross entropy of the next word, in nats."
    if smoothing := captioner.recipe["loss"].get("label_smoothing"):
        text += f" The training loss includes label smoothing of {smoothing}."
    protocol = [
        ("model", f"{_options(captioner.recipe['encoder'])}; {_options(captioner.recipe['decoder'])}"),
        ("trained", f"{trained:,} parameters, {steps:,} steps of {settings['batch_size']} captions"),
        ("seed", str(settings["seed"])),
        ("best epoch", f"chosen by {settings['select']} on the validation split"),
        ("command", " ".join(["showtell train", scenes.recipe, *scenes.overrides, "--run", str(scenes.run)])),
    ]
    return Section(
        f"Training recipe {scenes.recipe}", text, figure=Figure(light, dark, "loss curves"), protocol=protocol
    )


def _held_out(scenes: SceneResults) -> Section:
    shown = {True: RIGHT, False: WRONG}
    cards = []
    for record in scenes.records:
        verdict = scenes.verdicts[record.image_id]
        if shown[verdict.right]:
            shown[verdict.right] -= 1
            cards.append(_scene_card(record, scenes.captions[record.image_id], verdict))
    wrong = sum(not verdict.right for verdict in scenes.verdicts.values())
    text = (
        "Every scene here shows a combination of things that was never in training. A caption is right if all its "
        "things, colours and relations are right and nothing is missing. A program decides this; it shares no code "
        f"with the program that wrote the references. The page shows the first {RIGHT} right captions and the first "
        f"{WRONG} wrong ones. In total, {wrong} of {len(scenes.records)} captions are wrong."
    )
    protocol = [
        ("split", "test: not used for training, nor for choosing anything"),
        *[("scores", line) for line in _signatures(scenes.scores)],
        ("command", f"showtell evaluate {scenes.run} --split test"),
    ]
    cards.sort(key=lambda card: not card.right)
    return Section("Scenes with combinations never seen", text, cards=cards, protocol=protocol)


def _signatures(scores: dict[str, Score]) -> list[str]:
    """One line for all metrics with the same settings: `BLEU-1, BLEU-2: SETTINGS`."""
    alike: dict[str, list[str]] = {}
    for name, score in scores.items():
        alike.setdefault(score.signature.partition("|")[2].replace("|", " | "), []).append(name)
    return [f"{', '.join(names)}: {how}" for how, names in alike.items()]


def _scene_card(record: Record, caption: str, verdict: Verdict) -> Card:
    picture = figures.data_uri(figures.image_png(open_image(record.path)))
    return Card(picture, record.image_id, caption, record.references, verdict.right, verdict.reason)


def _scenes_explained(scenes: SceneResults, captioner: Neural) -> Section:
    right = [record for record in scenes.records if scenes.verdicts[record.image_id]]
    looked = [_looked(captioner, record.path) for record in (right or list(scenes.records))[:2]]
    command = f"showtell explain {scenes.records[0].path} --model {scenes.run}"
    return Section("What the trained model looked at", looked=looked, protocol=[("command", command)])


def _looked(captioner: Captioner, path: Path) -> Looked:
    image = captioner.open(path)
    explanation = explain(captioner, image, share=None)
    maps, boxes = explanation.maps, explanation.boxes
    pictures = [figures.picture_uri(overlay(image, weights, boxes, WORD_SIDE)) for weights in maps]
    words = list(zip(explanation.words, pictures, strict=True))
    return Looked(figures.picture_uri(thumbnail(image, SIDE)), path.name, explanation.text, words)


def _options(section: Mapping[str, Any]) -> str:
    """A section as one line: `beam(num_beams=5, ...)`."""
    options = ", ".join(f"{key}={value}" for key, value in section.items() if key != "name" and value is not None)
    return f"{section['name']}({options})"
