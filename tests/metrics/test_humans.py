"""One human caption against the others: by hand, and what is refused."""

import pytest

from showtell.metrics.humans import humans
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError

REFERENCES = {
    "a": ["a black dog runs", "a dog runs on grass", "the dog is black"],
    "b": ["two red cars", "red cars stand there", "cars in a street", "two cars"],
    "c": ["a man swims", "someone swims far out", "a man in water"],
}


def test_it_is_the_mean_over_the_captions_each_against_the_rest():
    found = humans(REFERENCES, ["BLEU-2", "CIDEr-D"], protocol={"split": "val"})
    rounds = []
    for i in range(3):
        rest = {image: [text for j, text in enumerate(texts) if j != i] for image, texts in REFERENCES.items()}
        rounds.append(score({image: texts[i] for image, texts in REFERENCES.items()}, rest, ["BLEU-2", "CIDEr-D"]))
    for name in ("BLEU-2", "CIDEr-D"):
        assert found[name].value == pytest.approx(sum(scores[name].value for scores in rounds) / 3)
        for image in REFERENCES:
            mean = sum(scores[name].per_image[image] for scores in rounds) / 3
            assert found[name].per_image[image] == pytest.approx(mean)


def test_its_signature_says_how_it_was_made():
    parts = humans(REFERENCES, ["BLEU-1"], protocol={"split": "val"})["BLEU-1"].signature.split("|")
    assert {"images 3", "references 2 to 3", "split val"} <= set(parts)
    assert "each human caption in turn against the rest, mean of 3" in parts


def test_an_image_with_one_caption_is_left_out():
    found = humans(REFERENCES | {"d": ["alone"]}, ["BLEU-1"])
    assert found["BLEU-1"] == humans(REFERENCES, ["BLEU-1"])["BLEU-1"]


def test_one_caption_each_is_nothing_to_compare():
    with pytest.raises(InputError, match=r"^no image has two references or more, so no human caption can be scored"):
        humans({"a": ["a dog"], "b": []})
