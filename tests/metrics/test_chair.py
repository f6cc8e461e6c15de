"""Objects that captions name: what counts as a name, and what as hallucinated."""

import pytest

from showtell.metrics.chair import mentions
from showtell.metrics.objects import OBJECTS, named
from showtell.metrics.score import score
from showtell.metrics.tokenize import tokenize

SAID = {"a": "A man and his dog ride a bike.", "b": "Two cats sleep on a bed.", "c": "snow on hills", "d": ""}
KNOWN = {
    "a": ["A cyclist rides a bicycle.", "Someone on the street"],
    "b": ["Kittens lie on the couch", "A cat asleep"],
    "c": ["hills", "a skier"],
    "d": ["A dog."],
}


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("A dog eats a hot dog, then two hot dogs.", ["dog", "hot dog", "hot dog"]),
        ("A teddy bear beside a polar bear", ["teddy bear", "bear"]),
        ("a roll of toilet paper on the toilet", ["toilet"]),
        ("He swings a baseball bat; a fruit bat hangs there, and she is up to bat", ["baseball bat"]),
        ("Fire trucks, buses, benches, knives and puppies", ["truck", "bus", "bench", "knife", "dog"]),
        ("Women, children, geese, sheep and oxen", ["person", "person", "bird", "sheep", "cow"]),
        ("a baby elephant and a baby", ["elephant", "person"]),
        ("passengers leave a passenger train by the police car", ["person", "train", "car"]),
        ("a person in an orange shirt with an orange in hand and oranges", ["person", "orange", "orange"]),
        ("He ties a boat to the dock, wearing a suit and tie", ["boat", "tie"]),
        ("A stop-sign, a traffic-light and a man's cell phone", ["stop sign", "traffic light", "person", "cell phone"]),
        ("glasses of wine beside a glass", ["wine glass"]),
        ("mickey mouse holds a mouse", ["mouse"]),
        ("a dog house, a bird bath, a flower bed and a train station", []),
        ("a dining table; a dining room table, a desk", ["dining table"] * 3),
        ("doggedly catching a busy bookshelf", []),
        ("", []),
    ],
)
def test_names_are_found_the_longest_first(caption, objects):
    assert mentions(tokenize(caption)) == objects


def test_all_80_objects_go_by_their_own_names_in_one_and_in_many():
    assert len(OBJECTS) == 80
    own = {"orange": "oranges"}  # mostly a colour
    for name in OBJECTS:
        assert mentions(tokenize(f"there is {own.get(name, name)} here")) == [name]
    assert mentions("oranges") == ["orange"] and mentions("orange") == []


def test_no_name_stands_for_two_objects():
    owners = {}
    for name, names in OBJECTS.items():
        for form in names.replace("\n", " ").replace("/", ",").split(","):
            owners.setdefault(" ".join(form.split()), set()).add(name)
    assert [form for form, objects in owners.items() if len(objects) > 1] == []
    assert all(mentions(form) == [name] for form, name in named().items() if name)


def test_an_object_is_hallucinated_when_no_reference_names_it():
    """Of a's man, dog and bike the dog; of b's cats and bed the bed."""
    scores = score(SAID, KNOWN, "CHAIR", resamples=0)
    assert scores["CHAIRs"].per_image == {"a": 1, "b": 1, "c": 0, "d": 0} and scores["CHAIRs"].value == 0.5
    assert scores["CHAIRi"].per_image == pytest.approx({"a": 1 / 3, "b": 1 / 2, "c": 0, "d": 0})
    assert scores["CHAIRi"].value == pytest.approx(2 / 5)  # of mentions, not the mean over captions


def test_each_mention_counts():
    found = score({"a": "a dog and a dog and a cat"}, {"a": ["a cat"]}, "CHAIRi", resamples=0)
    assert found["CHAIRi"].value == pytest.approx(2 / 3)


def test_captions_that_name_no_object_hallucinate_nothing():
    assert score({"a": "snow"}, {"a": ["rain"]}, "CHAIR")["CHAIRi"].value == 0


def test_the_signature_says_that_references_decide():
    assert "|COCO's 80 objects, there if a reference names them" in score(SAID, KNOWN, "CHAIRs")["CHAIRs"].signature
