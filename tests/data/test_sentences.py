"""Captions of several sentences: where they are cut, and what only opens them."""

from pathlib import Path

import pytest

from showtell.data.sentences import plain, sentences
from tests.data.sets import found, put


@pytest.mark.parametrize(
    ("option", "captions"),
    [
        ("all", ("A dog runs. It is Mr. Smith's!",)),
        ("first", ("A dog runs.",)),
        ("each", ("A dog runs.", "It is Mr. Smith's!")),
    ],
)
def test_a_caption_of_sentences_stays_whole_or_is_cut(option: str, captions: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, {"train.csv": ",filename,caption\n0,a.jpg,A dog runs. It is Mr. Smith's!\n"}, "train/a.jpg")
    assert found(tmp_path, "csv", sentences=option) == {"a.jpg": ("train", captions)}


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a cat. a dog. ", ["a cat.", "a dog."]),
        ("No end", ["No end"]),
        ('He says "Go!" and goes. "It is 3.5 m." Good', ['He says "Go!"', "and goes.", '"It is 3.5 m."', "Good"]),
        ("It waits... then runs. J. Smith looks at it.", ["It waits... then runs.", "J. Smith looks at it."]),
        ("At 5 p.m. it rains.", ["At 5 p.m. it rains."]),
        (" . ! ", []),
    ],
)
def test_sentences_end_where_people_end_them(text: str, cut: list[str]) -> None:
    assert sentences(text) == cut


@pytest.mark.parametrize(
    ("sentence", "rest"),
    [
        ("There is a cat on a mat.", "a cat on a mat."),
        ("there are two dogs", "two dogs"),
        ("This is a close up picture of a cup.", "a cup."),
        ("The image is of a train.", "a train."),
        ("In this photo, there is a bench.", "a bench."),
        ("I can see a red bus.", "a red bus."),
        ("This is fun.", "This is fun."),
        ("There is no one here.", "There is no one here."),
        ("A man is there.", "A man is there."),
        ("This man is old.", "This man is old."),
    ],
)
def test_an_opening_goes_where_what_it_opens_can_stand_alone(sentence: str, rest: str) -> None:
    assert plain(sentence) == rest


def test_openings_are_dropped_from_every_sentence_that_is_used(tmp_path: Path) -> None:
    text = "There is a red cat. It is fat. This is a picture of a dog."
    put(tmp_path, {"train.csv": f",filename,caption\n0,a.jpg,{text}\n"}, "train/a.jpg")
    said = [found(tmp_path, "csv", sentences=cut, openings="drop")["a.jpg"][1] for cut in ("first", "each", "all")]
    each = ("a red cat.", "It is fat.", "a dog.")
    assert said == [each[:1], each, (" ".join(each),)]
