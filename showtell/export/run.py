"""Captions by ONNX: numpy, Pillow and onnxruntime, nothing else.

    python run.py photo.jpg other.png --beams 5

The three graphs and settings.json lie beside this file. From Python: `Captioner(folder).caption([path, ..])`.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def spell(form, ids):
    """Ids -> text; see `text` in settings.json."""
    pieces = [form["pieces"][i] for i in ids]
    if form["kind"] == "bytes":
        text = b"".join(map(bytes.fromhex, pieces)).decode("utf-8", "replace")
        return text.removeprefix(" ") if form["strip"] else text
    text = " ".join(pieces)
    return re.sub(*form["join"], text) if form["join"] else text


def open_photo(path):
    """An upright RGB picture, on white if it is transparent."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def square(image, size, resize):
    """A picture -> bytes (3 size size), and the box of the picture that they show, in fractions of it."""
    width, height = image.size
    side = min(width, height)
    left, top = ((width - side) / 2, (height - side) / 2) if resize == "crop" else (0.0, 0.0)
    box = (left, top, width - left, height - top)
    small = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    whole = np.array([width, height, width, height], np.float32)
    return np.asarray(small).transpose(2, 0, 1), np.array(box, np.float32) / whole


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Captioner:
    def __init__(self, folder=Path(__file__).parent, threads=0):
        import onnxruntime

        self.settings = json.loads((Path(folder) / "settings.json").read_text("utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: all cores
        names = ("encoder", "start", "step")
        self.graphs = {n: onnxruntime.InferenceSession(str(Path(folder) / f"{n}.onnx"), options) for n in names}

    def call(self, graph, inputs):
        """Run a graph with the inputs that it knows: name -> array."""
        session = self.graphs[graph]
        known = {each.name: inputs[each.name] for each in session.get_inputs()}
        return dict(zip([each.name for each in session.get_outputs()], session.run(None, known), strict=True))

    def caption(self, photos, beams=None, batch=16):
        """One caption for each path or PIL image."""
        texts = []
        for start in range(0, len(photos), batch):
            images = [p if isinstance(p, Image.Image) else open_photo(p) for p in photos[start : start + batch]]
            seen = {}
            for i, part in enumerate(self.settings["squares"]):
                pairs = [square(image, part["size"], part["resize"]) for image in images]
                seen[f"pixels{i}"], seen[f"view{i}"] = (np.stack(same) for same in zip(*pairs, strict=True))
            features = self.call("encoder", seen)
            texts += [spell(self.settings["text"], ids) for ids in self.search(features, beams)]
        return texts

    def search(self, features, beams=None):
        """Beam search over all photos at once -> the ids of the best caption of each. One beam is greedy search."""
        s = self.settings
        width, penalty = beams or s["num_beams"], s["length_penalty"] if (beams or s["num_beams"]) > 1 else 0.0
        parts = self.call("start", features)
        memory = {n: a for n, a in parts.items() if n.startswith("memory.")}
        state = {n: np.repeat(a, width, axis=1) for n, a in parts.items() if n.startswith("state.")}
        photos, rows = len(features["mask"]), np.arange(len(features["mask"]))[:, None]
        begun = len(s["begin"])
        written = np.tile(np.array(s["begin"], np.int64), (photos, width, 1))
        ranks = np.full((photos, width), -np.inf, np.float32)  # of the beams; at first only one of each photo counts
        ranks[:, 0] = 0
        kept = [[] for _ in range(photos)]  # finished captions: (rank, ids)
        for word in s["begin"][:-1]:
            state = self.step(memory, state, np.full((photos, width), word, np.int64))[1]
        for length in range(begun, s["max_length"]):
            logits, state = self.step(memory, state, written[:, :, -1])
            scores = self.allowed(log_softmax(logits), written) + ranks[:, :, None]
            flat = scores.reshape(photos, -1)
            best = np.argsort(-flat, axis=1, kind="stable")[:, : 2 * width]
            parents, words = best // scores.shape[2], best % scores.shape[2]
            values = np.take_along_axis(flat, best, 1)
            last = length + 1 == s["max_length"]
            cost = (length + 1 - begun) ** penalty
            for b, i in np.argwhere((words[:, :width] == s["eos"]) | last):
                if values[b, i] > -np.inf:
                    ids = [*written[b, parents[b, i], begun:], words[b, i]]
                    kept[b].append((values[b, i] / cost, [w for w in ids if w != s["eos"]]))
                    kept[b] = sorted(kept[b], key=lambda one: -one[0])[:width]
            values = np.where(words == s["eos"], -np.inf, values)
            order = np.argsort(-values, axis=1, kind="stable")[:, :width]
            parents, words, ranks = (np.take_along_axis(a, order, 1) for a in (parents, words, values))
            reach = ranks[:, 0] / ((s["max_length"] - begun) if penalty > 0 else length + 2 - begun) ** penalty
            if last or all(len(k) == width and k[-1][0] >= r for k, r in zip(kept, reach, strict=True)):
                break
            written = np.concatenate([written[rows, parents], words[:, :, None]], axis=2)
            state = {name: array[rows, parents] for name, array in state.items()}
        return [found[0][1] if found else [] for found in kept]

    def step(self, memory, state, words):
        out = self.call("step", {"words": words, **memory, **state})
        return out.pop("logits"), {name.removeprefix("new."): array for name, array in out.items()}

    def allowed(self, log_probs, written):
        """-inf for what must not come next; if nothing is left, the caption may end."""
        s = self.settings
        ending = log_probs[..., s["eos"]].copy()
        log_probs[..., s["suppress"]] = -np.inf
        if written.shape[2] < s["min_length"]:
            log_probs[..., s["eos"]] = -np.inf
        said = np.concatenate([written[:, :, :1], written[:, :, len(s["begin"]) :]], axis=2)  # without the prompt
        for phrase in s["banned"]:
            if said.shape[2] >= len(phrase) - 1:
                begun = (said[:, :, said.shape[2] - len(phrase) + 1 :] == phrase[:-1]).all(-1)
                log_probs[begun, phrase[-1]] = -np.inf
        n, words = s["no_repeat_ngram_size"], said[:, :, 1:]
        for i in range(words.shape[2] - n + 1 if n else 0):
            b, k = np.nonzero((words[:, :, i : i + n - 1] == words[:, :, words.shape[2] - n + 1 :]).all(-1))
            log_probs[b, k, words[b, k, i + n - 1]] = -np.inf
        stuck = np.isneginf(log_probs).all(-1)
        log_probs[..., s["eos"]] = np.where(stuck, ending, log_probs[..., s["eos"]])
        return log_probs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Caption photos by ONNX.")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--beams", type=int)
    given = parser.parse_args()
    for photo, text in zip(given.photos, Captioner().caption(given.photos, given.beams), strict=True):
        print(f"{photo}: {text}")
