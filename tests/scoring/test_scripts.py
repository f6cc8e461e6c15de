"""Captions in scripts without blanks between words: everybody says so, and characters can be scored."""

import io
import json

import pytest
from rich.console import Console

import showtell
from showtell.data import Record
from showtell.doctor.captions import read_captions
from showtell.plumbing.errors import InputError
from showtell.plumbing.scripts import unspaced
from showtell.scoring.files import score_files
from showtell.training import setup
from tests.data.sets import draw
from tests.small import small_recipe

CAPTIONS = ["一只狗在草地上奔跑", "两个孩子在沙滩上玩耍", "一个男人骑着自行车", "一只猫坐在窗台上"]


@pytest.mark.parametrize(
    "captions", [CAPTIONS, ["犬が草の上を走っています"], ["สุนัขวิ่งบนหญ้าเขียวขจี"], [*CAPTIONS, *["a dog"] * 30]]
)
def test_captions_without_blanks_are_noticed(captions):
    assert "no blanks" in (unspaced(captions) or "")


@pytest.mark.parametrize(
    "captions", [["一只 狗 在 草地 上"], ["개가 풀밭에서 달린다"], ["собака бежит"], ["a dog"] * 20 + CAPTIONS[:1], []]
)
def test_captions_with_blanks_are_not(captions):
    assert unspaced(captions) is None


def test_score_warns_and_counts_characters_under_a_signature_of_its_own(tmp_path):
    candidates, references = {"1": CAPTIONS[0], "2": CAPTIONS[1]}, {"1": CAPTIONS[:1], "2": CAPTIONS[2:]}
    for name, content in (("c.json", candidates), ("r.json", references)):
        (tmp_path / name).write_text(json.dumps(content))
    heard = io.StringIO()
    words = score_files(tmp_path / "c.json", tmp_path / "r.json", ["BLEU-1", "length"], Console(file=heard, width=999))
    assert "--words characters" in heard.getvalue() and "sentencepiece" in heard.getvalue()
    letters = score_files(tmp_path / "c.json", tmp_path / "r.json", ["BLEU-1", "length"], words="characters")
    assert words["length"].value == 1 and letters["length"].value == 9.5
    assert "|characters|" in letters["BLEU-1"].signature and "|ptb|" in words["BLEU-1"].signature
    with pytest.warns(UserWarning, match="characters"):
        showtell.score(candidates, references, "length")
    with pytest.raises(InputError, match="characters"):
        showtell.score(candidates, references, "length", words="character")


def test_training_and_the_doctor_warn(tmp_path):
    draw(tmp_path / "a.jpg")
    records = [Record("a", tmp_path / "a.jpg", tuple(CAPTIONS), "train")]
    heard = io.StringIO()
    setup._warn_of_script(small_recipe(), records, Console(file=heard, width=999))
    assert "tokenizer=sentencepiece" in heard.getvalue() and "evaluate.words=characters" in heard.getvalue()
    captions = read_captions(records)
    assert captions is not None and "no blanks" in (captions.unspaced or "")
