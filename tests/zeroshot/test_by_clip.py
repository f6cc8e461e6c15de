"""Zero-shot by CLIP: open_clip's own rule on the same weights, from both libraries."""

import pytest
import torch
from PIL import Image

import showtell
from showtell.clip import Clip
from showtell.predict.photos import find_photos
from showtell.zeroshot.by_clip import ByClip
from showtell.zeroshot.classify import classify_photos
from showtell.zeroshot.labels import Labels
from showtell.zeroshot.ways import ways_of
from tests.clip.tiny import draw_photos

LABELS = Labels(("cat", "tennis court", "red bus"))
PROMPTS = ("a photo of a {}", "the {}.", "{}")


def by_open_clip(folder, photos, prompts):
    """open_clip's functions, called as its own evaluation calls them."""
    import open_clip

    network, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    templates = [lambda name, prompt=prompt: prompt.replace("{}", name) for prompt in prompts]
    network.eval()
    with torch.no_grad():
        weights = open_clip.build_zero_shot_classifier(network, tokenizer, LABELS.names, templates, device="cpu")
        pixels = torch.stack([prepare(Image.open(path).convert("RGB")) for path in photos])
        return 100.0 * network.encode_image(pixels, normalize=True) @ weights


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[:1]], ids=["ensemble", "one prompt"])
def test_logits_are_those_of_open_clips_rule(open_clip_folder, photos, prompts):
    scorer = ByClip(Clip(f"open_clip:{open_clip_folder}", device="cpu"), scale=100.0)
    found = classify_photos(scorer, find_photos(photos), LABELS, prompts)
    wanted = by_open_clip(open_clip_folder, photos, prompts).double()
    torch.testing.assert_close(torch.tensor(100 * found.scores), wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.tensor(found.probabilities), wanted.softmax(-1), atol=1e-5, rtol=0)
    assert found.order[:, 0].tolist() == wanted.argmax(-1).tolist()


@pytest.mark.slow
def test_probabilities_are_those_of_transformers_own_model(folder, tmp_path):
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

    photos = draw_photos(tmp_path)
    pictures = [Image.open(path).convert("RGB") for path in photos]
    texts = CLIPTokenizer.from_pretrained(folder)([f"the {name}" for name in LABELS.names], padding=True)
    pixels = CLIPImageProcessor.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.no_grad():
        wanted = CLIPModel.from_pretrained(folder).eval()(**texts.convert_to_tensors("pt"), **pixels).logits_per_image
    found = classify_photos(ByClip(Clip(str(folder), device="cpu")), find_photos(photos), LABELS, ("the {}",))
    torch.testing.assert_close(torch.tensor(found.probabilities), wanted.softmax(-1).double(), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_each_prompt_by_itself_is_a_way_of_its_own(open_clip_folder, photos):
    scorer = ByClip(Clip(f"open_clip:{open_clip_folder}", device="cpu"), scale=100.0)
    found = classify_photos(scorer, find_photos(photos), LABELS, PROMPTS, truth={path.name: 1 for path in photos})
    for place, prompt in enumerate(PROMPTS):
        wanted = by_open_clip(open_clip_folder, photos, (prompt,))
        assert found.ranks[:, place].tolist() == (wanted > wanted[:, 1:2]).sum(-1).tolist()


def test_the_door_says_the_same_of_paths_and_of_pictures(folder, photos):
    clip = Clip(str(folder), device="cpu")
    of_paths = showtell.classify(photos, list(LABELS.names), PROMPTS, clip)
    of_pictures = showtell.classify([Image.open(path) for path in photos], list(LABELS.names), PROMPTS, clip)
    assert [guess.label for guess in of_paths] == [guess.label for guess in of_pictures]
    for one, other in zip(of_paths, of_pictures, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


@pytest.mark.slow
def test_both_libraries_give_the_same_labels(folder, open_clip_folder, tmp_path):
    photos = draw_photos(tmp_path, size=(32, 32))  # needs no crop, in which the two differ by a pixel
    ours = showtell.classify(photos, list(LABELS.names), model=str(folder))
    theirs = showtell.classify(photos, list(LABELS.names), model=f"open_clip:{open_clip_folder}")
    assert [guess.label for guess in ours] == [guess.label for guess in theirs]


def test_the_scale_is_the_models_own_and_at_most_100(folder):
    clip = Clip(str(folder), device="cpu")
    assert ByClip(clip).scale == pytest.approx(clip.tower.network.logit_scale.exp().item())
    with torch.no_grad():
        clip.tower.network.logit_scale.fill_(9.0)
    assert ByClip(clip).scale == 100.0 and ByClip(clip, 7.0).scale == 7.0
    assert "100" in ByClip(clip).notes[0]


@pytest.mark.slow
def test_texts_are_embedded_once_for_all_calls(folder, monkeypatch):
    ways = ways_of(LABELS, ("once {}",))
    first = ByClip(Clip(str(folder), device="cpu"))
    first.ask(ways)
    monkeypatch.setattr(Clip, "embed_texts", lambda self, texts: pytest.fail("embedded again"))
    again = ByClip(Clip(str(folder), device="cpu"))
    again.ask(ways)
    assert torch.equal(first.wanted, again.wanted)


@pytest.mark.slow
def test_a_damaged_file_of_vectors_is_made_again(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path))
    ways = ways_of(LABELS, ("damaged {}",))
    first = ByClip(Clip(str(folder), device="cpu"))
    first.ask(ways)
    (path,) = tmp_path.glob("texts-*.safetensors")
    path.write_bytes(b"nonsense")
    again = ByClip(Clip(str(folder), device="cpu"))
    again.ask(ways)
    assert torch.equal(first.wanted, again.wanted)


def test_a_labels_own_texts_are_averaged(folder, photos):
    own = Labels(("cat", "dog"), None, (("a cat", "whiskers"), ("a dog",)))
    clip = Clip(str(folder), device="cpu")
    found = classify_photos(ByClip(clip), find_photos(photos), own, ())
    vectors = clip.embed_texts(["a cat", "whiskers", "a dog"])
    cat = torch.nn.functional.normalize(vectors[:2].mean(0), dim=0)
    wanted = clip.embed_photos(photos) @ torch.stack([cat, vectors[2]]).T
    torch.testing.assert_close(torch.tensor(found.scores).float(), wanted, atol=1e-5, rtol=0)
