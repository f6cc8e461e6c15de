"""Several captions of a photo (`decode.num_return_sequences`): all of them come out, in every form."""

import csv
import json

import pytest
from typer.testing import CliRunner

import showtell
from showtell.captioners.caption import Caption
from showtell.cli import app
from showtell.loading import load
from showtell.predict.writer import FORMS, Writer
from tests.predict.test_captions import album  # noqa: F401 - a fixture

ASKED = ["decode.num_beams=3", "decode.num_return_sequences=3"]


def read(path):
    """The captions of each photo in a file."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        pairs = [(row["image_id"], row["caption"]) for row in rows]
    else:
        pairs = [(row[0], row[1]) for row in csv.reader(text.splitlines())][1:]
    found: dict[str, list[str]] = {}
    for name, caption in pairs:
        found.setdefault(name, []).append(caption)
    return found


@pytest.mark.slow
def test_all_captions_are_in_text_python_and_every_file(cnn_run, album, tmp_path):  # noqa: F811
    photos = [str(album / "a.png"), str(album / "b.png")]
    python = showtell.caption(photos, cnn_run, num_beams=3, num_return_sequences=3)
    assert [*python] == ["a.png", "b.png"] and all(len({*captions}) == 3 for captions in python.values())
    (best, *_) = load(cnn_run).caption([photos[0]], num_beams=3, num_return_sequences=3)
    assert best.text == python["a.png"][0] and best.log_prob >= best.others[0].log_prob >= best.others[1].log_prob
    files = [tmp_path / f"out{form}" for form in FORMS]
    for file in (None, *files):
        out = ["--out", str(file)] if file else []
        result = CliRunner().invoke(app, ["caption", *photos, *ASKED, "--model", str(cnn_run), *out])
        assert result.exit_code == 0, result.output
        if file is None:
            lines = [f"{name}: {text}" for name, texts in python.items() for text in texts]
            assert result.stdout.splitlines() == lines
        else:
            assert read(file) == python


@pytest.mark.parametrize("form", FORMS)
def test_a_stopped_file_goes_on_with_all_captions(tmp_path, form):
    three = Caption("a", [1, 5, 2], -1.0, (Caption("b", None, -2.0), Caption("c", None, -3.0)))
    path = tmp_path / f"out{form}"
    with pytest.raises(KeyboardInterrupt), Writer(path, several=True) as writer:
        writer.write("1.jpg", three)
        raise KeyboardInterrupt
    with Writer(path, several=True, resume=True) as writer:
        assert writer.done == {"1.jpg"}
        writer.write("2.jpg", Caption("d", None, -1.0))  # the search found no other
    assert read(path) == {"1.jpg": ["a", "b", "c"], "2.jpg": ["d"]}
