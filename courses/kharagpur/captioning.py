"""The functions and classes of the course, on Showtell's parts: a frozen ViT and GPT-2 (recipe kharagpur-b).

BLEU is BLEU-1: the course does not say its order, and its level is that of BLEU-1. Values are fractions, 0 to 1.
"""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import showtell
from showtell.captioners.neural import Neural
from showtell.data.occlude import black_patches
from showtell.recipe.build import build, build_decoder, build_encoder
from showtell.training.by_hand import fit

PROMPT = "Image Caption:"
METRICS = {"BLEU": "BLEU-1", "ROUGE-L": "ROUGE-L", "METEOR": "METEOR"}


def tokenizer():
    return showtell.TOKENIZERS["gpt2"](prompt=PROMPT)


def zero_shot_captioning(image_path, model_name="HuggingFaceTB/SmolVLM-Instruct"):
    """The caption of a model that others trained. Offline: model_name="tiny"."""
    return showtell.load(model_name).caption([image_path])[0].text


class ImageCaptioningDataset(torch.utils.data.Dataset):
    """A CSV with the columns filename and caption, and the folder of its photos. Use its `collate` in a DataLoader."""

    def __init__(self, csv_file, folder, image_size=224):
        with Path(csv_file).open(newline="", encoding="utf-8") as file:
            self.rows = [(Path(folder, row["filename"]), row["caption"].strip()) for row in csv.DictReader(file)]
        self.square, self.tokenizer = showtell.Square(image_size, "stretch"), tokenizer()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        path, caption = self.rows[index]
        special = self.tokenizer.special
        tokens = [*special.begin, *self.tokenizer.encode(caption), special.eos]
        pixels, _ = self.square(showtell.open_image(path))
        return {"pixels": pixels, "tokens": torch.tensor(tokens)}

    def collate(self, items):
        """Captions are padded on the right; the mask is True for real tokens."""
        tokens = pad_sequence([each["tokens"] for each in items], True, self.tokenizer.special.pad)
        lengths = torch.tensor([len(each["tokens"]) for each in items])
        mask = torch.arange(tokens.shape[1]) < lengths[:, None]
        return {"pixels": torch.stack([each["pixels"] for each in items]), "tokens": tokens, "mask": mask}


class ImageCaptionModel(nn.Module):
    """`forward(pixels, tokens, mask)` -> logits (B T V). Offline: encoder="lite", layers other than 12.

    With 12 layers the decoder is the pretrained GPT-2; any other number begins with random weights.
    """

    def __init__(self, encoder="timm", layers=12, changes=(), captioner=None):
        super().__init__()
        if captioner is None:
            chosen = [] if encoder == "timm" else [f"encoder={encoder}"]
            recipe = showtell.load_recipe("kharagpur-b", [*chosen, f"decoder.layers={layers}", *changes])
            seen, words = build_encoder(recipe), build(recipe, "tokenizer")
            captioner = Neural(seen, build_decoder(recipe, seen, words), words, recipe)
        self.encoder, self.decoder, self.words = captioner.encoder, captioner.decoder, captioner.tokenizer
        self.captioner = captioner

    def features(self, pixels):
        view = torch.tensor([0.0, 0.0, 1.0, 1.0], device=pixels.device).expand(len(pixels), 4)
        with torch.no_grad():
            return self.encoder(pixels, view)

    def forward(self, pixels, tokens, mask):
        """Padding stands on the right, so no real word reads it; the mask is for the loss."""
        return self.decoder(*self.decoder.start(self.features(pixels)), tokens[:, None]).logits[:, 0]

    @torch.no_grad()
    def captions(self, pixels):
        self.eval()
        return [caption.text for caption in self.captioner.describe(self.features(pixels))]


def of_run(run):
    """The model of a run of Showtell."""
    return ImageCaptionModel(captioner=showtell.load(run))


def train_model(model, dataloader, optimizer, criterion, device, epochs):
    fit(model, dataloader, optimizer, criterion, device, epochs)


def evaluate_model(model, dataloader, device):
    """BLEU, ROUGE-L and METEOR of greedy captions."""
    return _scores(model, dataloader, device, lambda pixels: pixels)


def occlude_image(image, mask_percentage, seed=None):
    """A copy of an image (height, width, 3) in which some 16 x 16 patches are black."""
    return black_patches(image, mask_percentage, seed=seed)


def evaluate_on_occluded_images(model, dataloader, device, occlusion_levels):
    """Level -> the scores with so many percent of the patches black."""
    found = {}
    for level in occlusion_levels:
        found[level] = _scores(model, dataloader, device, partial(_occluded, level=level))
    return found


def _occluded(pixels, level):
    images = pixels.permute(0, 2, 3, 1).cpu().numpy()
    black = np.stack([occlude_image(image, level, seed) for seed, image in enumerate(images)])
    return torch.from_numpy(black).permute(0, 3, 1, 2).to(pixels.device)


def _scores(model, dataloader, device, seen):
    model.to(device)
    said, known, words = {}, {}, model.words
    for batch in dataloader:
        texts = model.captions(seen(batch["pixels"].to(device)))
        for text, tokens, mask in zip(texts, batch["tokens"], batch["mask"], strict=True):
            name = str(len(said))
            said[name], known[name] = text, [words.decode(tokens[mask][len(words.special.begin) : -1].tolist())]
    found = showtell.score(said, known, list(METRICS.values()))["scores"]
    return {name: float(found[metric]["value"]) for name, metric in METRICS.items()}
