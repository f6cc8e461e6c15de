"""What is damaged: photos in each form, captions in each form, a trained run; made once, small and whole."""

import io
import json
import pickle
import shutil
import tarfile
from pathlib import Path

import gguf
import h5py
import numpy as np
import yaml
from PIL import Image
from safetensors.numpy import save_file

from showtell.plumbing.console import Plain
from showtell.plumbing.language_models import language_model
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.training.loop import train

FORMS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tif": "TIFF"}
CAPTIONS = {f"{number}.png": [f"a red thing {number}", "two blue things, and a dog"] for number in range(4)}
RECIPE = {
    "data": {"name": "scenes", "images": 24, "val_images": 6, "test_images": 0, "size": 32},
    "encoder": {"name": "cnn", "image_size": 32, "grid_size": 4, "width": 8, "dim": 24},
    "tokenizer": {"name": "words", "min_count": 1},
    "decoder": {"name": "transformer", "dim": 16, "layers": 1, "heads": 2, "mlp_dim": 20},
    "decode": {"name": "beam", "num_beams": 2, "max_length": 12},
    "train": {"epochs": 3, "batch_size": 16, "warmup_steps": 4, "lr": 0.01, "save_every": 5},
}


def make(folder: Path, run: Path | None = None) -> None:
    """`photos/`, `captions/FORM/`, `regions/`, `recipe.yaml`, `model.gguf` and `run/`, which saves its training."""
    (folder / "photos").mkdir(parents=True)
    picture = Image.fromarray(np.linspace(0, 255, 40 * 48 * 3).reshape(40, 48, 3).astype(np.uint8))
    for ending, form in FORMS.items():
        picture.save(folder / f"photos/{ending}.{ending}", form)
    picture.save(folder / "photos/scans.jpg", "JPEG", progressive=True)
    for form, write in (("coco", _coco), ("karpathy", _karpathy), ("csv", _csv), ("jsonl", _jsonl), ("tar", _tar)):
        home = folder / "captions" / form
        home.mkdir(parents=True)
        if form != "tar":
            for name in CAPTIONS:
                picture.save(home / name)
        write(home, picture)
    _regions(folder / "regions")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    _llama(folder / "model.gguf")
    language_model(str(folder / "model.gguf"), "decoder.model")  # imports what reads it, once for all attacks
    if run is None:
        train(check(RECIPE), folder / "run")
    else:
        shutil.copytree(run, folder / "run")
    evaluate_run(folder / "run", "val", ["evaluate.metrics=[CIDEr-D]"], Plain(quiet=True))  # a report reads the scores


def _regions(home: Path) -> None:
    """Features of regions and their boxes, of the photos that have captions, in each form."""
    home.mkdir()
    draw = np.random.default_rng(0)
    names = [name.removesuffix(".png") for name in CAPTIONS]
    boxes = np.array([[0.1, 0.2, 0.6, 0.9]] * 3, dtype=np.float32)
    arrays = {name: draw.standard_normal((3, 8), dtype=np.float32) for name in names}
    flat = arrays | {f"{name}:boxes": boxes for name in names}
    np.savez(home / "all.npz", **flat)  # type: ignore[arg-type]
    save_file(flat, home / "all.safetensors")
    (home / "all.pkl").write_bytes(
        pickle.dumps({name: {"features": array, "boxes": boxes} for name, array in arrays.items()})
    )
    with h5py.File(home / "all.h5", "w") as file:
        for name, array in flat.items():
            file[name] = array


def _llama(file: Path) -> None:
    """A language model of one layer with random weights, and its tokenizer."""
    tokens = ["<s>", "</s>", *map(chr, range(ord("a"), ord("z") + 1)), "Ġ", "Ġa"]
    width, inner = 16, 24
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_block_count(1)
    writer.add_context_length(32)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["Ġ a"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    shapes = {
        "token_embd": (len(tokens), width),
        "output_norm": (width,),
        "blk.0.attn_norm": (width,),
        "blk.0.ffn_norm": (width,),
        "blk.0.ffn_gate": (inner, width),
        "blk.0.ffn_up": (inner, width),
        "blk.0.ffn_down": (width, inner),
        **{f"blk.0.attn_{name}": (width, width) for name in ("q", "k", "v", "output")},
    }
    draw = np.random.default_rng(0)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.standard_normal(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _coco(home: Path, _: Image.Image) -> None:
    images = [{"id": number, "file_name": name} for number, name in enumerate(CAPTIONS)]
    rows = [{"image_id": n, "caption": text} for n, texts in enumerate(CAPTIONS.values()) for text in texts]
    (home / "captions_train.json").write_text(json.dumps({"images": images, "annotations": rows}))


def _karpathy(home: Path, _: Image.Image) -> None:
    images = [
        {"filename": name, "split": "train", "sentences": [{"raw": text} for text in texts]}
        for name, texts in CAPTIONS.items()
    ]
    (home / "dataset_seed.json").write_text(json.dumps({"images": images}))


def _csv(home: Path, _: Image.Image) -> None:
    rows = [f'{name},"{text}"' for name, texts in CAPTIONS.items() for text in texts]
    (home / "captions.csv").write_text("\n".join(["image,caption", *rows]))


def _jsonl(home: Path, _: Image.Image) -> None:
    lines = [json.dumps({"file_name": name, "text": texts[0]}) for name, texts in CAPTIONS.items()]
    (home / "metadata.jsonl").write_text("\n".join(lines))


def _tar(home: Path, picture: Image.Image) -> None:
    with tarfile.open(home / "train-000000.tar", "w") as tar:
        for name, texts in CAPTIONS.items():
            content = io.BytesIO()
            picture.save(content, "PNG")
            for member, data in ((name, content.getvalue()), (name.replace("png", "txt"), texts[0].encode())):
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
