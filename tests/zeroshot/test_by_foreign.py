"""Zero-shot by a captioner of others: each text's score is the mean of the probabilities that its own library gives."""

import pytest
from PIL import Image
from typer.testing import CliRunner

import showtell
from showtell.cli import app
from showtell.zeroshot.classify import classify
from showtell.zeroshot.find import find
from showtell.zeroshot.models import is_captioner
from tests.captioners.huggingface.tiny import folder
from tests.clip.tiny import draw_photos, write_transformers

LABELS = ["dog", "red car"]


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("album"), count=2)


@pytest.mark.parametrize("architecture", ["blip", pytest.param("llava", marks=pytest.mark.slow)])
def test_the_likeliest_label_wins(architecture, album):
    captioner = showtell.load(folder(architecture))
    found = classify(album, LABELS, ["a {}", "the {}"], captioner)
    for photo, guess in zip(album, found, strict=True):
        means = {}
        for label in LABELS:
            each = [captioner.log_probs([photo], [f"{article} {label}"])[0][:-1] for article in ("a", "the")]
            means[label] = sum(sum(one) / len(one) for one in each) / 2
        assert guess.label == max(means, key=means.__getitem__)


def test_pictures_get_what_their_files_get(album):
    captioner = showtell.load(folder("blip"))
    by_file = classify(album, LABELS, model=captioner)
    by_picture = classify([Image.open(path) for path in album], LABELS, model=captioner)
    assert [each.label for each in by_picture] == [each.label for each in by_file]
    assert [each.probability for each in by_picture] == pytest.approx([each.probability for each in by_file], abs=1e-5)


def test_the_command_takes_its_folder_and_a_broken_photo_costs_only_itself(album, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    words = ["classify", *map(str, album), str(tmp_path / "broken.jpg"), "--labels", "cat,dog"]
    result = CliRunner().invoke(app, [*words, "--model", str(folder("blip")), "--out", str(tmp_path / "pred.csv")])
    assert result.exit_code == 3, result.output
    assert len((tmp_path / "pred.csv").read_text().splitlines()) == 1 + len(album) + 1


def test_photos_are_found_by_it(album):
    found = find("a red car", album[0].parent, str(folder("blip")), 2)
    assert found.unit == "log-probability" and len(found.hits) == 2
    assert found.hits[0].score >= found.hits[1].score


def test_a_clip_is_no_captioner(tmp_path):
    assert is_captioner(str(folder("blip"))) and not is_captioner(str(write_transformers(tmp_path / "clip")))
