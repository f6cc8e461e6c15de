"""Tiny data sets in the courses' own forms, and how a course's script is called: from another folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from showtell.data.scenes.scenes import scenes

ROOT = Path(__file__).parent.parent
TRAIN, VAL = 5, 3
WIDTH, LAYERS, HEADS = 24, 2, 12


def photos(count=TRAIN + VAL):
    records = scenes(images=count, val_images=1, test_images=1, size=48)
    return [record for record in records if record.split == "train"][:count]


def call(course, script, *arguments, cwd, program=sys.executable, **environment):
    """Run a script of a course; the repository's root is on the path only because tests install nothing."""
    path = ROOT / "courses" / course / script if not Path(script).is_absolute() else script
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    own = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths}
    return subprocess.run(
        [program, str(path), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | own | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )


def write_taipei(folder):
    """`images/{train,val}`, train.json and val.json as in COCO, and a tiny decoder_model.bin."""
    records = photos()
    for split, some in {"train": records[:TRAIN], "val": records[TRAIN:]}.items():
        (folder / "images" / split).mkdir(parents=True)
        images, annotations = [], []
        for number, record in enumerate(some):
            name = f"{number:012}.jpg" if number else "96399948.jpg"
            open_jpeg(record.path, folder / "images" / split / name)
            images.append({"id": number, "file_name": name})
            annotations += [{"id": len(annotations), "image_id": number, "caption": text} for text in record.references]
        content = {"images": images, "annotations": annotations}
        (folder / f"{split}.json").write_text(json.dumps(content))
    torch.save(tiny_gpt2(), folder / "decoder_model.bin")


def open_jpeg(source, target):
    from PIL import Image

    with Image.open(source) as image:
        image.convert("RGB").save(target)


def tiny_gpt2(prefix=""):
    generator = torch.Generator().manual_seed(3)
    shapes = {"wte.weight": (50257, WIDTH), "wpe.weight": (64, WIDTH), "ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}
    for i in range(LAYERS):
        for name, wide in {"attn.c_attn": 3, "attn.c_proj": 1, "mlp.c_fc": 4}.items():
            shapes |= {f"h.{i}.{name}.weight": (WIDTH, wide * WIDTH), f"h.{i}.{name}.bias": (wide * WIDTH,)}
        shapes |= {f"h.{i}.mlp.c_proj.weight": (4 * WIDTH, WIDTH), f"h.{i}.mlp.c_proj.bias": (WIDTH,)}
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{i}.{norm}.weight": (WIDTH,), f"h.{i}.{norm}.bias": (WIDTH,)}
    tensors = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    tensors |= {f"h.{i}.attn.bias": torch.ones(1, 1, 64, 64).tril() for i in range(LAYERS)}
    return {prefix + name: tensor for name, tensor in tensors.items()}


def write_kharagpur(folder):
    """`{train,val,test}/SPLIT_N.jpg` and `{train,val,test}.csv` with the header `,filename,caption`."""
    records = photos()
    for split, some in {"train": records[:TRAIN], "val": records[TRAIN:], "test": records[TRAIN:]}.items():
        (folder / split).mkdir(parents=True)
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["", "filename", "caption"])
            for number, record in enumerate(some):
                open_jpeg(record.path, folder / split / f"{split}_{number + 1}.jpg")
                rows.writerow([number, f"{split}_{number + 1}.jpg", f"{record.references[0]}. It is a drawing. "])
