"""What is taken away from chatty answers, and what stays."""

import pytest

from showtell.captioners.huggingface.clean import clean


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        ("a dog runs on the beach", "a dog runs on the beach"),
        ("A dog.\nIt is brown.\nIt barks.", "A dog."),
        ("\n\n  two   cats \n", "two cats"),
        ("Assistant: a dog", "a dog"),
        ("The image shows a man on a horse.", "a man on a horse."),
        ("This image depicts a man", "a man"),
        ("This is an image of a cat.", "a cat."),
        ("It's a photo of a cat.", "a cat."),
        ("Here's a short description of the photo: A red car.", "A red car."),
        ("Sure! Here is a caption:\n\nA red car.", "A red car."),
        ('Certainly, here\'s one sentence:\n"A red car."', "A red car."),
        ("In the picture, there is a red car.", "a red car."),
        ("**Caption:** a red car", "a red car"),
        ("Caption:", ""),
        ("Caption: 'a red car'", "a red car"),
        ("- a red car\n- a blue car", "a red car"),
        ("<think>It may be a car.\nYes.</think>\nA red car.", "A red car."),
        ("<think>It may be a car.", ""),
        ("a red car</s> user: what else?", "a red car"),
        ("a red car<end_of_utterance>\nUser: hm", "a red car"),
        ("", ""),
        (" \n ", ""),
        # Ordinary captions that begin alike stay whole.
        ("a photo of a dog", "a photo of a dog"),
        ("a model: blue dress", "a model: blue dress"),
        ("here is a dog that runs", "here is a dog that runs"),
        ("a sure shot", "a sure shot"),
        ("picture frames on a wall", "picture frames on a wall"),
        ("the image of a saint on a wall", "the image of a saint on a wall"),
        ('a sign that says "stop"', 'a sign that says "stop"'),
        ('"stop" says a "red" sign "now"', '"stop" says a "red" sign "now"'),
    ],
)
def test_the_caption_is_what_is_left(answer, caption):
    assert clean(answer) == caption
    assert clean(caption) == caption


def test_own_beginnings_and_stop_words():
    assert clean("Well, a dog. Hope it helps", strip=("well,",), stop=("HOPE",)) == "a dog."
    assert clean("Well, well, a dog", strip=("well,",)) == "a dog"
    assert clean("a dog", strip=("",), stop=()) == "a dog"
