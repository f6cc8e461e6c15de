"""Prompts and the ways that they ask; a prompt without `{}` is refused."""

import pytest

from showtell.plumbing.errors import InputError
from showtell.zeroshot.labels import Labels
from showtell.zeroshot.prompts import PROMPTS, fill, named_set, read_prompts
from showtell.zeroshot.ways import Way, texts_of, ways_of

LABELS = Labels(("cat", "dog"))


def test_a_set_has_a_name():
    assert read_prompts("none") == ("{}",) and read_prompts("photo") == ("a photo of a {}",)
    assert len(read_prompts("simple7")) == 7 and len(read_prompts("varied36")) == 36
    for prompts in PROMPTS.values():
        assert read_prompts(prompts) == prompts


def test_simple7_are_those_of_open_clip(libraries):
    import open_clip

    theirs = [template("{}") for template in open_clip.SIMPLE_IMAGENET_TEMPLATES]
    assert sorted(PROMPTS["simple7"]) == sorted(theirs)


def test_every_mark_is_filled_and_other_braces_stay():
    assert fill("{} {} {x}", "cat") == "cat cat {x}"


@pytest.mark.parametrize(
    ("prompts", "word"),
    [("a photo", "has no"), ("simple", "simple7"), ((), "no prompt"), (("{}", "{}"), "twice"), (("{object}",), "{}")],
)
def test_what_is_no_prompt_is_refused(prompts, word):
    with pytest.raises(InputError, match=word):
        read_prompts(prompts)


def test_a_set_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="simple7") as error:
        named_set("simple")
    assert error.value.key == "--prompts"


def test_one_prompt_is_one_way_and_several_have_an_ensemble():
    assert ways_of(LABELS, ["a {}"]) == [Way("a {}", (("a cat",), ("a dog",)))]
    ways = ways_of(LABELS, ["a {}", "{}"])
    assert ways[-1] == Way("ensemble", (("a cat", "cat"), ("a dog", "dog"))) and len(ways) == 3
    assert texts_of(ways) == ["a cat", "a dog", "cat", "dog"]


def test_texts_of_the_labels_come_last_and_give_the_answer():
    own = Labels(("cat", "dog"), None, (("whiskers", "a cat"), ("barks",)))
    assert [way.name for way in ways_of(own, ["a {}"])] == ["a {}", "own texts"]
