"""The judge: every reference is right, every real corruption is wrong, any text gets a verdict."""

import ast
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import showtell.data.scenes.judge as judge_module
from showtell.data.scenes.judge import judge, scene_accuracy
from showtell.data.scenes.parse import Unclear, parse
from showtell.data.scenes.words import captions
from showtell.data.scenes.world import COLOURS, SHAPES, Scene, Thing, sample
from showtell.plumbing.errors import InputError


def scene(seed: int) -> Scene:
    return sample(Random(seed), unseen=seed % 2 == 0)


def thing(colour: str, shape: str, x: float, y: float, size: str = "small") -> Thing:
    return Thing(colour, shape, size, x, y, extent=0.17, tilt=0.0)


# The red star stands left of the blue heart, the green circle above the heart (so up on the right of the star).
CORNER = Scene(
    (thing("blue", "heart", 0.7, 0.7, "large"), thing("red", "star", 0.3, 0.72), thing("green", "circle", 0.68, 0.2)),
    (250, 250, 250),
)
PAIR = Scene(CORNER.things[:2], CORNER.background)


def references(count: int) -> list[tuple[Scene, str, Random]]:
    """Captions of `count` scenes, each with its own stream of chance."""
    found = []
    for seed in range(count):
        random = Random(f"corrupt {seed}")
        found += [(scene(seed), caption, random) for caption in captions(scene(seed), random)]
    return found


def test_the_judge_shares_nothing_with_the_patterns() -> None:
    folder = Path(judge_module.__file__).parent
    reached, waiting = set(), {"judge"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("showtell.data.scenes."):
                waiting |= {str(node.module).removeprefix("showtell.data.scenes.")} - reached
    assert reached == {"judge", "parse", "world"}
    imported = ast.parse((folder / "parse.py").read_text())
    assert not [node for node in ast.walk(imported) if isinstance(node, ast.ImportFrom) and "showtell" in node.module]


@pytest.mark.slow
def test_every_reference_is_right() -> None:
    for seed in range(400):
        for caption in captions(scene(seed), Random(seed), count=6):
            assert judge(caption, scene(seed)), (caption, judge(caption, scene(seed)).reason)


def test_references_are_worded_differently_and_tell_sizes_at_times() -> None:
    texts = [caption for _, caption, _ in references(200)]
    assert {"right of", "left of", "above", "over", "below", "under"} <= set(
        re.findall(r"(?:left|right) of|above|over|below|under", " ".join(texts))
    )
    assert 0.3 < sum("small" in text or "large" in text for text in texts) / len(texts) < 0.5
    bare = {re.sub("|".join((*COLOURS, *SHAPES)), "_", text) for text in texts}
    assert len(bare) > 200


@pytest.mark.slow
def test_another_colour_or_shape_is_wrong() -> None:
    for truth, caption, random in references(200):
        for names, kind in ((COLOURS, "colour"), (SHAPES, "shape")):
            said = random.choice(re.findall("|".join(names), caption))
            others = {getattr(thing, kind) for thing in truth.things}
            false = caption.replace(said, random.choice([name for name in names if name not in others]), 1)
            assert not judge(false, truth), false


def test_another_relation_is_wrong() -> None:
    phrases = {"left": "to the left of", "right": "right of", "above": "above", "below": "under"}
    pattern = re.compile("(?:to the )?(left|right) of|(above|over)|(below|under)")
    for truth, caption, random in references(200):
        match = random.choice(list(pattern.finditer(caption)))
        said = match[1] or ("above" if match[2] else "below")
        other = random.choice([phrase for relation, phrase in phrases.items() if relation != said])
        false = caption[: match.start()] + other + caption[match.end() :]
        assert re.search("is not (left|right|above|below)", judge(false, truth).reason), false


def test_another_size_is_wrong() -> None:
    swap = {"small": "large", "large": "small"}
    told = [(truth, caption, random) for truth, caption, random in references(100) if re.search("small|large", caption)]
    for truth, caption, random in told:
        said = random.choice(list(re.finditer("small|large", caption)))
        false = caption[: said.start()] + swap[said[0]] + caption[said.end() :]
        assert judge(false, truth).reason.endswith(f", not {swap[said[0]]}"), false


def test_a_thing_too_few_or_too_many_is_wrong() -> None:
    for seed in range(200):
        truth, random = scene(seed), Random(seed)
        if len(truth.things) == 3:
            fewer = Scene(truth.things[:2], truth.background)
            for caption in captions(fewer, random):
                assert judge(caption, truth).reason.startswith("does not name the"), caption
            for caption in captions(truth, random):
                assert judge(caption, fewer).reason.startswith("there is no"), caption
        for caption in captions(truth, random):
            doubled = random.choice(truth.things)
            again = f"{caption} and a {doubled.colour} {doubled.shape}"
            assert judge(again, truth).reason.endswith(f"names a second {doubled.colour} {doubled.shape}"), again


@pytest.mark.parametrize(
    "caption",
    [
        "a red star is left of a blue heart",
        "The small red star sits to the left of the large blue heart.",
        "a red star on the left side of a blue heart",
        "A tiny red star lies directly on the left-hand side of one huge blue heart!",
        "on the right of the red star is a blue heart",
        "on the right of the red star, there is a blue heart",
        "left of a blue heart, a red star",
        "there's a red star with a blue heart to its right",
        "there is a red star. to its right is a blue heart.",
        "the blue heart has a red star on its left",
        "this picture shows a blue heart which is located right of a red star",
        "we see a blue heart that can be seen to the right of a red star",
        "here are a red star and a blue heart; the heart is positioned to the right of the star",
    ],
)
def test_two_things_may_be_told_in_many_ways(caption: str) -> None:
    assert judge(caption, PAIR), judge(caption, PAIR).reason


@pytest.mark.parametrize(
    "caption",
    [
        "a red star is left of a blue heart and a green circle is above the blue heart",
        "a blue heart is right of a red star and below a green circle",
        "a blue heart is right of a red star, underneath a green disc",
        "a green circle is over a blue heart which is to the right of a red star",
        "a green circle is over a blue heart that has a red star to its left",
        "there is a green circle above a blue heart to the right of a red star",
        "a blue heart with a red star to its left and a green circle above it",
        "a blue heart, right of a red star, is beneath a green circle",
        "to the left of a blue heart is a red star, while atop the heart there is a green ball",
        "a big blue heart is below a green circle; the heart is to the right of a little red star",
        "a red star with a blue heart to its right is left of the blue heart and a green circle is on top of the heart",
    ],
)
def test_three_things_may_be_told_in_many_ways(caption: str) -> None:
    assert judge(caption, CORNER), judge(caption, CORNER).reason


def test_a_row_may_be_told_at_once() -> None:
    row = Scene(
        (thing("red", "star", 0.5, 0.5), thing("red", "heart", 0.2, 0.52), thing("blue", "star", 0.8, 0.47)),
        (240, 240, 240),
    )
    assert judge("a red heart is left of a red star and a blue star", row)
    assert judge("a red heart and a red star are left of a blue star", row)
    assert judge("a red star is right of a red heart and left of a blue star", row)
    assert not judge("a red star is left of a red heart and a blue star", row)


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("", "not understood: names no thing"),
        ("a red star", "does not name the blue heart"),
        ("a red star and a blue heart", "does not say where the red star is"),
        ("a red star is right of a blue heart", "the red star is not right of the blue heart"),
        ("a red star is above a blue heart", "the red star is not above the blue heart"),
        ("a red star is left of a blue star", "there is no blue star"),
        ("a pink star is left of a blue heart", "there is no pink star"),
        ("a red star is left of a blue oval", "there is no blue oval"),
        ("a big red star is left of a blue heart", "the red star is small, not large"),
        ("a red star is left of a blue heart and a red star", "not understood: names a second red star"),
        ("a red star is left of another red star", "not understood: names a second red star"),
        ("a red star is left of the red star and the blue heart", "not understood: relates the red star to itself"),
        ("a red star is not left of a blue heart", "not understood: 'not' is not a word for scenes"),
        ("a red star is left of a blue dog", "not understood: 'dog' is not a word for scenes"),
        ("a red star is left of a heart", "not understood: 'heart' without a colour"),
        ("a red star is left of a blue", "not understood: 'a blue' without a shape"),
        ("a red blue star is left of a heart", "not understood: 'red' and 'blue' for one thing"),
        ("left of a blue heart", "not understood: a relation without its first thing"),
        ("a red star is left of a blue heart is", "not understood: the grammar of the sentence is unknown"),
        ("it is left of a blue heart", "not understood: the grammar of the sentence is unknown"),
        ("a red star is left of it", "not understood: relates the red star to itself"),
        ("left of it is a blue heart", "not understood: 'it' means nothing named before"),
        ("1red star is left of a blue heart", "not understood: '1red' is not a word for scenes"),
        ("a red star " * 100, "not understood: longer than 1,000 characters"),
    ],
)
def test_what_is_wrong_is_said(caption: str, reason: str) -> None:
    verdict = judge(caption, PAIR)
    assert not verdict
    assert verdict.reason == reason


def test_a_diagonal_is_neither_beside_nor_above() -> None:
    said = "a red star is left of a blue heart and a green circle is {} the red star"
    for relation in ("above", "below", "left of", "right of"):
        assert judge(said.format(relation), CORNER).reason.startswith("the green circle is not")


def test_what_may_mean_two_things_is_not_understood() -> None:
    for caption in (
        "a red star is left of a blue heart and a green circle is above it",
        "a red star is left of a blue heart with a green circle above it",
    ):
        assert judge(caption, CORNER).reason == "not understood: 'it' may mean several things"


def test_relations_must_connect_all_things() -> None:
    caption = "there are a red star, a blue heart and a green circle. the star is left of the heart."
    assert judge(caption, CORNER).reason == "does not say where the green circle is"


def test_accuracy_is_the_fraction_of_right_captions() -> None:
    truth = {"a.png": CORNER, "b.png": PAIR, "c.png": PAIR}
    right = "a red star is left of a blue heart"
    assert scene_accuracy({"b.png": right}, truth) == 1
    assert scene_accuracy({"a.png": right, "b.png": right, "c.png": "a red star"}, truth) == pytest.approx(1 / 3)


def test_captions_without_a_scene_are_refused() -> None:
    with pytest.raises(InputError, match=r"^no captions to judge$"):
        scene_accuracy({}, {"a.png": PAIR})
    with pytest.raises(InputError, match=r"^1 of 2 captions have no scene \(first: z\.png\)$"):
        scene_accuracy({"a.png": "a red star", "z.png": "a red star"}, {"a.png": PAIR})


SENTENCE = (
    "there is a picture an the small red star blue heart green circle large are to left right of above below under "
    "and which with has it its on , . can be seen dog"
)
WORDS = SENTENCE.split()


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_text_gets_a_verdict_with_a_reason(text: str) -> None:
    verdict = judge(text, CORNER)
    assert verdict.right == (verdict.reason == "")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=300).map(" ".join))
def test_what_is_understood_speaks_only_of_things_it_names(text: str) -> None:
    try:
        claims = parse(text)
    except Unclear:
        return
    for one, relation, other in claims.relations:
        assert one != other
        assert {one, other} <= claims.sizes.keys()
        assert relation in ("left", "right", "above", "below")
