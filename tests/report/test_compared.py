"""A comparison in the terminal and on its page: every number is there, thumbnails too, and nothing is asked for."""

import io
import json
import re

import pytest
from PIL import Image
from rich.console import Console

from showtell.plumbing.errors import InputError
from showtell.report.compared import PICTURED, SHOWN, cautions, differences_figure, lines, write_comparison
from showtell.scoring.comparison import SAME, compare
from tests.report.test_page import Reader
from tests.scoring.test_comparison import BAD, GOOD, KNOWN, TWO, captions


@pytest.fixture
def photos(tmp_path):
    """A photo of each image; one of them cannot be read."""
    found = {image_id: tmp_path / image_id for image_id in KNOWN}
    for number, path in enumerate(found.values()):
        Image.new("RGB", (60, 40), (4 * number, 90, 30)).save(path)
    next(iter(found.values())).write_text("no photo")
    return found


def printed(found, width=80):
    console = Console(file=io.StringIO(), width=width)
    for line in lines(found):
        console.print(line)
    return console.file.getvalue()


def test_the_terminal_says_values_differences_and_verdicts():
    found = compare(TWO, KNOWN, "CIDEr-D,BLEU-1")
    said = printed(found)
    for name in ("CIDEr-D", "BLEU-1"):
        value, difference = found.scores["bad"][name].value, found.differences[name]["bad"]
        assert re.search(rf"^{name} .*{value:.4f} \(", said, re.MULTILINE)
        low, high = difference.interval
        row = rf"^{name} +{re.escape(f'{difference.value:+.4f}')} +{low:.4f} to {high:.4f} +0\.0010 +0\.0010 +worse"
        assert re.search(row, said, re.MULTILINE)
    assert "bad against good" in said and "p Holm" not in said


def test_the_terminal_shows_where_each_wins_most():
    found = compare({"short": BAD, "bad": GOOD}, KNOWN, "CIDEr-D")
    won, lost = found.wins("bad", SHOWN)
    said = printed(found, 200)
    assert len(won) == SHOWN and lost
    for image_id in (*won, *lost):
        value = found.scores["bad"]["CIDEr-D"].per_image[image_id]
        assert f"{image_id}\n" in said and f"  {value:.3f}  bad: {GOOD[image_id]}\n" in said


@pytest.mark.parametrize("runs", [2, 4])
def test_it_fits_into_eighty_columns(runs):
    said = printed(compare({f"ucm-bern-{n}": captions(60, spoiled=n / 9)[1] for n in range(runs)}, KNOWN), 80)
    assert "…" not in said and max(map(len, said.splitlines())) <= 80
    assert re.search(r"^CIDEr-D .* (worse|not shown)", said, re.MULTILINE)


def test_what_is_left_out_is_said():
    fewer = dict(list(BAD.items())[2:])
    assert printed(compare({"good": GOOD, "bad": fewer}, KNOWN, "BLEU-1"), 200).startswith(
        "skipped 2 of 60 images: 2 without a caption of bad (first: 0.jpg)\n"
    )


def test_many_tests_and_few_images_are_cautioned_about():
    assert cautions(compare(TWO, KNOWN, "BLEU-1")) == []
    (several,) = cautions(compare(TWO, KNOWN, "BLEU"))
    assert several.startswith("4 tests at the level .05: ") and "Holm" not in several
    (runs,) = cautions(compare({"first": GOOD, **TWO}, KNOWN, "BLEU-1"))
    assert runs.startswith("2 tests") and "p Holm corrects for the 2 runs, but not for" in runs
    assert cautions(compare(TWO, KNOWN, "BLEU-1", resamples=9)) == ["9 resamples are few: no p can be below 0.100"]
    few = {image_id: KNOWN[image_id] for image_id in list(KNOWN)[:5]}
    assert cautions(compare(TWO, few, "BLEU-1"))[0].startswith("5 images are few: ")
    almost = {image_id: text + " and" * (image_id in few) for image_id, text in GOOD.items()}
    (caution,) = cautions(compare({"good": GOOD, "almost": almost}, KNOWN, "length"))
    assert "few images differ in length" in caution


@pytest.mark.slow
def test_the_page_holds_values_tests_a_picture_and_the_photos(tmp_path, photos):
    found = compare(TWO, KNOWN, "standard", photos=photos)
    write_comparison(tmp_path / "page.html", found, "showtell compare good bad")
    html = (tmp_path / "page.html").read_text("utf-8")
    page = Reader(html)
    sources = [attributes.get("src", "data:") for tag, attributes in page.tags if tag == "img"]
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"(https?:)?//", re.sub(r'"data:[^"]*"', "", html))
    won, lost = found.wins("bad", PICTURED)
    assert len(sources) == 2 + sum(image_id != "0.jpg" for image_id in (*won, *lost)) > PICTURED
    for image_id in lost:
        assert image_id in page.text and GOOD[image_id] in page.text and KNOWN[image_id][2] in page.text
        assert f"good: {found.scores['good']['CIDEr-D'].per_image[image_id]:.3f}" in page.text
    assert (
        "bad against good: worse by BLEU-1, BLEU-2, BLEU-3, BLEU-4, " in page.text and "ROUGE-L, CIDEr-D" in page.text
    )
    assert "showtell compare good bad" in page.text and f"{found.differences['BLEU-4']['bad'].value:+.4f}" in page.text


def test_the_page_of_files_without_photos_has_cards_without_pictures(tmp_path):
    found = compare({"good": GOOD, "bad": dict.fromkeys(GOOD, "")}, KNOWN, "CIDEr-D")
    write_comparison(tmp_path / "page.html", found)
    page = Reader((tmp_path / "page.html").read_text("utf-8"))
    assert [tag for tag, _ in page.tags].count("img") == 2  # the figure, by day and by night
    assert page.text.count("(no words)") == PICTURED


def test_nothing_tested_makes_a_page_without_a_picture(tmp_path):
    found = compare(TWO, {"1.jpg": KNOWN["1.jpg"]}, "BLEU-1")
    write_comparison(tmp_path / "page.html", found)
    page = Reader((tmp_path / "page.html").read_text("utf-8"))
    assert "no metric can be tested" in page.text and "img" not in [tag for tag, _ in page.tags]


def test_the_picture_has_each_difference_at_its_place_hollow_where_none_is_shown():
    runs = {"first": GOOD, "same": dict(GOOD), "bad": BAD}
    found = compare(runs, KNOWN, "ROUGE-L,CIDEr-D")
    figure = differences_figure(found)
    assert [axes.get_ylabel() for axes in figure.axes] == list(found.differences)
    for axes, by_run in zip(figure.axes, found.differences.values(), strict=True):
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [dot.get_xdata()[0] for dot in dots] == [each.value for each in by_run.values()]
        hollow = [dot.get_markerfacecolor() != dot.get_markeredgecolor() for dot in dots]
        assert hollow == [each.verdict == SAME for each in by_run.values()] == [True, False]
        low, high = axes.get_xlim()
        assert low < by_run["bad"].interval[0] < 0 < high


def test_json_is_everything(tmp_path):
    write_comparison(tmp_path / "deep/found.json", compare(TWO, KNOWN, "BLEU-1"))
    content = json.loads((tmp_path / "deep/found.json").read_text("utf-8"))
    assert content["metrics"]["BLEU-1"]["differences"]["bad"]["verdict"] == "worse"


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^--out .*page.html cannot be written: "):
        write_comparison(tmp_path / "file/page.html", compare(TWO, KNOWN, "BLEU-1"))
