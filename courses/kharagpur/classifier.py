"""Part C: whose caption is it? BERT reads `<original> <SEP> <generated> <SEP> <percentage>` and names the model.

Offline, `"random"` stands for BERT's name: a small BERT with random weights, and a vocabulary of the texts at hand.
"""

import random
from itertools import pairwise

import numpy as np
import torch
from captioning import occlude_image
from PIL import Image
from torch import nn

import showtell
from showtell.plumbing.hub import local_copy
from showtell.plumbing.language_models import FILES, transformers

BERT, RANDOM = "google-bert/bert-base-uncased", "random"
LABELS = ("Model A (SmolVLM)", "Model B (Custom)")


def rows_of(captioner, label, photos, levels, side=224):
    """A row for each photo and each percentage of black patches. `photos` is {path: true caption}."""
    rows = []
    for percentage in levels:
        for seed, (path, original) in enumerate(photos.items()):
            image = np.array(showtell.open_image(path).resize((side, side)))
            seen = Image.fromarray(occlude_image(image, percentage, seed))
            text = f"{original} <SEP> {captioner.caption([seen])[0].text} <SEP> {percentage}"
            rows.append({"photo": str(path), "text": text, "label": LABELS.index(label)})
    return rows


def split_by_photo(rows, seed=0):
    """Training, validation and test rows, 70:10:20. All rows of a photo are in one part."""
    photos = sorted({row["photo"] for row in rows})
    random.Random(seed).shuffle(photos)
    cuts = [0, round(0.7 * len(photos)), round(0.8 * len(photos)), len(photos)]
    parts = [set(photos[begin:end]) for begin, end in pairwise(cuts)]
    return [[row for row in rows if row["photo"] in part] for part in parts]


def folder_of(model_name):
    """The folder of a BERT: its own, or a copy from the hub. If neither is there, the error says what to do."""
    return local_copy(model_name, "model_name", FILES, "take 'random', or a folder that transformers saved")


def tokenizer_of(model_name, rows):
    """BERT's word pieces. With `random` they are learnt from the rows."""
    library = transformers("model_name", model_name)
    if model_name != RANDOM:
        return library.AutoTokenizer.from_pretrained(folder_of(model_name))
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import TemplateProcessing

    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator([row["text"] for row in rows], 2000, show_progress=False)
    ends = [(name, pieces.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    pieces._tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    special = {"pad_token": "[PAD]", "sep_token": "[SEP]", "cls_token": "[CLS]", "unk_token": "[UNK]"}
    return library.PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, **special)


def collate_of(tokenizer, longest=512):
    """Rows -> a batch with the keys of `forward`, and `labels`. The course's <SEP> becomes BERT's own."""

    def collate(rows):
        texts = [row["text"].replace("<SEP>", tokenizer.sep_token) for row in rows]
        batch = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        labels = torch.tensor([row["label"] for row in rows])
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}

    return collate


class CaptionClassifier(nn.Module):
    """BERT's first vector, and linear layers. `forward(input_ids, attention_mask)` -> logits (B 2)."""

    def __init__(self, model_name=BERT, vocabulary_size=30522, dropout=0.1):
        super().__init__()
        library = transformers("model_name", model_name)
        if model_name == RANDOM:
            sizes = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256}
            self.bert = library.BertModel(library.BertConfig(vocab_size=vocabulary_size, **sizes))
        else:
            self.bert = library.AutoModel.from_pretrained(folder_of(model_name))
        wide = self.bert.config.hidden_size
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, len(LABELS)))

    def forward(self, input_ids, attention_mask):
        return self.head(self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, 0])


def train_classifier(model, dataloader, optimizer, criterion, device, epochs):
    model.to(device).train()
    for _ in range(epochs):
        for batch in dataloader:
            labels, *inputs = (batch[name].to(device) for name in ("labels", "input_ids", "attention_mask"))
            loss = criterion(model(*inputs), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()


@torch.no_grad()
def evaluate_classifier(model, dataloader, device):
    """Precision, Recall and F1, each the mean over the two labels (macro)."""
    model.to(device).eval()
    counts = torch.zeros(len(LABELS), len(LABELS))  # truth, answer
    for batch in dataloader:
        answers = model(batch["input_ids"].to(device), batch["attention_mask"].to(device)).argmax(1).cpu()
        counts.index_put_((batch["labels"], answers), torch.ones(len(answers)), accumulate=True)
    hits = counts.diagonal()
    precision, recall = (hits / counts.sum(axis).clamp(min=1) for axis in (0, 1))
    f1 = 2 * hits / (counts.sum(0) + counts.sum(1)).clamp(min=1)
    return {"Precision": float(precision.mean()), "Recall": float(recall.mean()), "F1": float(f1.mean())}
