"""Vectors: equal to the libraries' own, the same in any batch and from the cache, and of the models that are named."""

import shutil

import pytest
import torch
from PIL import Image

from showtell.clip import Clip
from showtell.plumbing.errors import InputError
from tests.clip.tiny import draw_photos, write_tokenizer_in_one_file, write_transformers

CAPTIONS = ["a dog runs along the beach", "two red cars in the rain", "", "An airplane!", "a dog runs along the beach"]


@pytest.fixture
def clip(folder):
    return Clip(str(folder), device="cpu")


def refused(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def units(found):
    vectors = found if isinstance(found, torch.Tensor) else found.pooler_output
    return vectors / vectors.norm(dim=-1, keepdim=True)


@torch.no_grad()
def test_vectors_are_those_of_transformers_itself(clip, folder, photos):
    from transformers import CLIPModel, CLIPProcessor

    network, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    images = [Image.open(path).convert("RGB") for path in photos]
    seen = units(network.get_image_features(**processor(images=images, return_tensors="pt")))
    tokens = processor(text=CAPTIONS, return_tensors="pt", padding=True)
    read = units(network.get_text_features(**tokens))
    torch.testing.assert_close(clip.embed_photos(photos), seen, atol=1e-6, rtol=0)
    torch.testing.assert_close(clip.embed_texts(CAPTIONS), read, atol=1e-6, rtol=0)


@pytest.mark.slow
@torch.no_grad()
def test_vectors_are_those_of_open_clip_itself(open_clip_folder, photos):
    import open_clip

    network, prepare = open_clip.create_model_from_pretrained(f"local-dir:{open_clip_folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{open_clip_folder}")
    seen = units(network.encode_image(torch.stack([prepare(Image.open(path)) for path in photos])))
    clip = Clip(f"open_clip:{open_clip_folder}", device="cpu")
    torch.testing.assert_close(clip.embed_photos(photos), seen, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        clip.embed_texts(CAPTIONS), units(network.encode_text(tokenizer(CAPTIONS))), atol=1e-6, rtol=0
    )


def test_both_libraries_give_the_same_for_the_same_weights(clip, open_clip_folder, tmp_path):
    """Of photos that need no cutting: where a pixel is odd, transformers cuts one before open_clip."""
    other = Clip(f"open_clip:{open_clip_folder}", device="cpu")
    square = draw_photos(tmp_path, size=(32, 32))
    torch.testing.assert_close(clip.embed_photos(square), other.embed_photos(square), atol=1e-5, rtol=0)
    torch.testing.assert_close(clip.embed_texts(CAPTIONS), other.embed_texts(CAPTIONS), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_tokenizer_in_one_file_gives_the_same(clip, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    assert write_tokenizer_in_one_file(other).is_file()
    assert torch.equal(Clip(str(other), device="cpu").embed_texts(CAPTIONS), clip.embed_texts(CAPTIONS))


@pytest.mark.slow
def test_batches_do_not_change_vectors(clip, folder, photos, monkeypatch):
    seen, read = clip.embed_photos(photos), clip.embed_texts([*CAPTIONS, "a " * 60])
    for size, name in ((1, "showtell.clip.model.BATCH_SIZE"), (2, "showtell.clip.model.BATCH_SIZE")):
        monkeypatch.setattr(name, size)
        other = Clip(str(folder), device="cpu")
        torch.testing.assert_close(other.embed_texts([*CAPTIONS, "a " * 60]), read, atol=1e-5, rtol=0)
    monkeypatch.setattr("showtell.cache.fill.batch_size", lambda encoder: 1)
    with monkeypatch.context() as patch:
        patch.setenv("SHOWTELL_CACHE", str(folder.parent / "ones"))
        torch.testing.assert_close(other.embed_photos(photos), seen, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_photo_is_seen_once_and_the_cache_gives_the_same(folder, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path))
    live = Clip(str(folder), device="cpu").embed_photos(photos)
    again = Clip(str(folder), device="cpu")
    monkeypatch.setattr(type(again.tower), "forward", lambda *arguments: pytest.fail("a cached photo was seen again"))
    assert torch.equal(again.embed_photos(photos[::-1]), live.flip(0))
    assert live.dtype == torch.float32


@pytest.mark.slow
def test_other_weights_are_other_photos_in_the_cache(clip, tmp_path):
    other = Clip(str(write_transformers(tmp_path / "tiny-clip", seed=8)), device="cpu")
    assert other.tower.fingerprint != clip.tower.fingerprint
    assert other.signature != clip.signature


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("preprocessor_config.json", '"resample": 3', '"resample": 2'),
        ("config.json", '"num_attention_heads": 3', '"num_attention_heads": 2'),
        ("config.json", '"hidden_act": "quick_gelu"', '"hidden_act": "gelu"'),
    ],
)
def test_what_weights_do_not_say_is_other_photos_in_the_cache_too(clip, folder, tmp_path, file, before, after):
    changed = shutil.copytree(folder, tmp_path / "changed")
    text = (changed / file).read_text("utf-8")
    assert before in text
    (changed / file).write_text(text.replace(before, after))
    assert Clip(str(changed), device="cpu").tower.fingerprint != clip.tower.fingerprint


def test_the_same_model_elsewhere_is_the_same_in_the_cache(clip, folder, tmp_path):
    moved = Clip(str(shutil.copytree(folder, tmp_path / "moved")), device="cpu")
    assert moved.tower.fingerprint == clip.tower.fingerprint


def test_large_photos_are_not_shrunk_while_they_are_read(clip, tmp_path):
    """A JPEG of eight times the model's size, which other encoders would have decoded at half of its own."""
    (path,) = draw_photos(tmp_path, 1, (8 * 32 + 6, 8 * 32))
    Image.open(path).convert("RGB").save(tmp_path / "large.jpg", quality=60)
    pixels = clip.tower.towers.prepare(Image.open(tmp_path / "large.jpg"))
    with torch.no_grad():
        alone = clip.tower(pixels[None], torch.tensor([[0.0, 0, 1, 1]])).pooled
    torch.testing.assert_close(clip.embed_photos([tmp_path / "large.jpg"]), alone, atol=1e-6, rtol=0)


def test_photos_of_a_pixel_or_two_are_seen(clip, open_clip_folder, tmp_path):
    for number, size in enumerate([(1, 1), (3, 1), (1, 3), (2, 90)]):
        Image.new("RGB", size, "red").save(tmp_path / f"{number}.png")
    found = clip.embed_photos(sorted(tmp_path.glob("*.png")))
    assert torch.isfinite(found).all()


@pytest.mark.slow
@torch.no_grad()
def test_texts_are_cut_at_77_tokens_and_keep_their_end(clip, open_clip_folder):
    long = "a dog " * 60
    tokens = clip.tower.towers.tokenize([long])["input_ids"]
    assert tokens.shape == (1, 77) and tokens[0, -1] == 49407
    assert torch.equal(clip.embed_texts([long]), clip.embed_texts([long + "and more of it"]))
    other = Clip(f"open_clip:{open_clip_folder}", device="cpu").embed_texts([long])
    torch.testing.assert_close(clip.embed_texts([long]), other, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_texts_are_remembered_while_they_are_the_same(clip, monkeypatch):
    read = clip.embed_texts(CAPTIONS)
    monkeypatch.setattr("torch.nn.functional.normalize", lambda *a, **o: pytest.fail("a text was read again"))
    assert torch.equal(clip.embed_texts(tuple(CAPTIONS)), read)


def test_loading_draws_no_random_numbers(folder):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    Clip(str(folder), device="cpu").load()
    assert torch.equal(torch.rand(3), wanted)


def test_photos_that_cannot_be_read_are_named(clip, photos, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    told = refused(clip.embed_photos, [photos[0], tmp_path / "broken.jpg", tmp_path / "lost.jpg"])
    assert told.startswith("2 of 3 photos cannot be read: 1 not an image")
    assert "(first: broken.jpg)" in told and "(first: lost.jpg)" in told


@pytest.mark.slow
def test_a_signature_says_model_library_weights_and_protocol(folder, open_clip_folder):
    first = Clip(str(folder), "paper", device="cpu").signature
    assert first.startswith("clip tiny-clip (transformers ") and str(folder.parent) not in first
    assert first.endswith("|protocol paper (2.5 cos, prefix 'A photo depicts ')")
    assert Clip(str(folder), "torchmetrics", device="cpu").signature.endswith("|protocol torchmetrics (100 cos)")
    assert Clip(f"open_clip:{open_clip_folder}").signature.startswith("clip open_clip:tiny-open-clip (open_clip ")


def test_a_protocol_that_is_none_is_told():
    told = refused(Clip, "x", "papers")
    assert told == "protocol is 'papers'; CLIPScore takes paper, taipei, torchmetrics"


def test_progress_is_shown_only_where_somebody_looks(folder, capsys):
    Clip(str(folder), device="cpu").embed_texts(CAPTIONS)
    assert capsys.readouterr() == ("", "")
