"""Drawn photos that are busy enough to be told apart, and data sets of them in Karpathy's form."""

import json

import numpy as np
from PIL import Image, ImageDraw


def drawing(seed, size=(240, 180)):
    """A scene of its own for every seed: a sky of two colours, thirty shapes, some grain."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(random.integers(60, 200, 3).tolist()))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] // 2, *size), fill=tuple(random.integers(0, 255, 3).tolist()))
    for _ in range(30):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        w, h = random.integers(8, 60, 2)
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - w // 2, y - h // 2, x + w // 2, y + h // 2), fill=tuple(random.integers(0, 255, 3).tolist()))
    grain = random.normal(0, 6, (*size[::-1], 3))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def data_set(root, photos):
    """`photos`: (name, split, image or None for a file that stands there already, captions)."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    entries = []
    for name, split, image, captions in photos:
        if image is not None:
            image.save(root / "images" / name)
        sentences = [{"raw": caption} for caption in captions]
        entries.append({"filename": name, "split": split, "sentences": sentences})
    (root / "dataset_drawn.json").write_text(json.dumps({"images": entries}), "utf-8")
    return root
