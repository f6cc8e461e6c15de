"""The reward is CIDEr-D against the references of the image, with an end that counts."""

import pytest
import torch

from showtell.clip import Clip
from showtell.data import Record
from showtell.decode import Decoded
from showtell.losses.reward import Reward, check_reward
from showtell.metrics import METRICS
from showtell.metrics.cider import CiderD
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError
from showtell.tokenizers.words import Words
from tests.small import FROZEN, train_small

TEXTS = [["a black dog runs", "the dog runs"], ["two red cars"], ["a cat"]]
RECORDS = [Record(str(i), None, tuple(texts), "train") for i, texts in enumerate(TEXTS)]
WORDS = Words(min_count=1).fit([text for texts in TEXTS for text in texts])


def drawn(*groups):
    """Captions of each image, `.` marking those that ended."""
    rows = [[1, *WORDS.encode(text.rstrip(".")), *([2] if text.endswith(".") else [])] for g in groups for text in g]
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    for i, row in enumerate(rows):
        tokens[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), True
    shape = (len(groups), len(groups[0]))
    return Decoded(tokens.unflatten(0, shape), mask.unflatten(0, shape), torch.zeros(shape))


def test_the_reward_is_cider_d_of_the_images_own_references():
    found = Reward(RECORDS, WORDS)(drawn(["two red cars.", "a cat."], ["the dog runs.", "two red."]), [1, 0])
    plain = CiderD([[text + " <eos>" for text in texts] for texts in TEXTS])
    texts = ["two red cars <eos>", "a cat <eos>", "the dog runs <eos>", "two red <eos>"]
    assert found.flatten().tolist() == plain.scores(texts, [1, 1, 0, 0]).tolist()
    assert found[0, 0] == found.max() and found[0, 1] < found[0, 0]


def test_a_mix_is_the_weighted_sum_of_its_metrics():
    said = drawn(["two red cars.", "a cat."], ["the dog runs.", "two red."])
    found = Reward(RECORDS, WORDS, {"CIDEr-D": 0.5, "BLEU-2": 2.0, "ROUGE-L": -1.0})(said, [1, 0])
    cider = Reward(RECORDS, WORDS)(said, [1, 0])
    texts = {"0": "two red cars", "1": "a cat", "2": "the dog runs", "3": "two red"}
    known = {"0": TEXTS[1], "1": TEXTS[1], "2": TEXTS[0], "3": TEXTS[0]}
    others = score(texts, known, ["BLEU-2", "ROUGE-L"])
    for i, image_id in enumerate(texts):
        bleu, rouge = (others[name].per_image[image_id] for name in ("BLEU-2", "ROUGE-L"))
        assert found.flatten()[i].item() == pytest.approx(0.5 * cider.flatten()[i].item() + 2 * bleu - rouge)


def test_a_metric_that_is_not_here_is_refused_by_name_before_a_photo_is_encoded(monkeypatch, tmp_path):
    monkeypatch.setitem(METRICS, "BLEU-2", METRICS["BLEU-2"]._replace(missing=lambda texts: "needs a moon"))
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were read"))
    with pytest.raises(InputError, match=r"^loss.reward has BLEU-2, .*needs a moon$"):
        train_small(tmp_path / "run", *FROZEN, "loss=self_critical", "loss.reward={BLEU-2: 1}")
    assert not (tmp_path / "run").exists()


def test_a_metric_without_weight_is_not_asked_for(monkeypatch):
    monkeypatch.setitem(METRICS, "BLEU-2", METRICS["BLEU-2"]._replace(missing=lambda texts: "needs a moon"))
    check_reward({"BLEU-2": 0.0, "CIDEr-D": 1.0}, Clip())
    assert Reward(RECORDS, WORDS, {"BLEU-2": 0.0, "CIDEr-D": 1.0}).weights == {"CIDEr-D": 1.0}


def test_plain_cider_counts_in_all_training_references():
    said = drawn(["two red cars.", "a cat."])
    found = Reward(RECORDS, WORDS, {"CIDEr": 1.0})(said, [1]).flatten().tolist()
    texts, known = {"0": "two red cars", "1": "a cat"}, {"0": TEXTS[1], "1": TEXTS[1]}
    wanted = score(texts, known, ["CIDEr"], frequencies_of=TEXTS)["CIDEr"].per_image
    assert found == pytest.approx([wanted["0"], wanted["1"]])
    assert Reward(RECORDS, WORDS, {"BLEU-2": 1.0}).frequencies_of is None  # which would be counted at each call


def test_copies_are_no_reward():
    with pytest.raises(InputError, match=r"^loss.reward has copied, .*copied needs"):
        check_reward({"copied": 1.0}, Clip())


def test_a_caption_that_does_not_end_earns_less():
    found = Reward(RECORDS, WORDS)(drawn(["two red cars.", "two red cars"]), [1])
    assert found[0, 0] > found[0, 1] > 0
