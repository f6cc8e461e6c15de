"""`encoder=clip`: what the libraries compute, from either of them, in a recipe and back from its run."""

import shutil

import pytest
import torch
from PIL import Image

import showtell
from showtell.cache import encode
from showtell.encoders.clip.patches import ClipPatches
from showtell.plumbing.errors import InputError, RecipeError
from tests.clip.conftest import folder, libraries, open_clip_folder, photos  # noqa: F401 - fixtures
from tests.clip.tiny import DIM, PATCH, SIDE, VISION

CELLS = (SIDE // PATCH) ** 2


def seen(encoder, paths):
    return encode(encoder, [Image.open(path).convert("RGB") for path in paths])


@pytest.mark.slow
def test_tokens_and_vector_are_those_of_transformers(folder, photos):  # noqa: F811
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder).eval()
    encoder = ClipPatches(model=str(folder))
    pixels = torch.stack([encoder.transform(Image.open(path).convert("RGB"))[0] for path in photos[:2]])
    with torch.no_grad():
        out = model.vision_model(pixel_values=encoder.normalise(pixels))
        tokens = model.vision_model.post_layernorm(out.last_hidden_state[:, 1:])
        vectors = model.visual_projection(out.pooler_output)
    found = encoder(pixels, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    assert found.tokens.shape == (2, CELLS, VISION) and encoder.dim == VISION
    torch.testing.assert_close(found.tokens, tokens, atol=2e-3, rtol=2e-3)  # rounded to fp16
    torch.testing.assert_close(found.pooled, out.pooler_output, atol=2e-3, rtol=2e-3)
    joint = ClipPatches(model=str(folder), space="joint")
    assert joint.dim == DIM
    of_joint = joint(pixels, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    torch.testing.assert_close(of_joint.pooled, vectors, atol=4e-3, rtol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["vision", "joint"])
def test_both_libraries_agree_on_the_same_weights(folder, open_clip_folder, photos, space):  # noqa: F811
    ours, theirs = (
        seen(ClipPatches(model=name, space=space), photos[:3])
        for name in (str(folder), f"open_clip:{open_clip_folder}")
    )
    for name in ("tokens", "pooled", "boxes"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=4e-3, rtol=2e-3)


def test_pixels_are_normalised_by_the_models_own_numbers(folder):  # noqa: F811
    encoder = ClipPatches(model=str(folder))
    assert encoder.image_size == SIDE
    torch.testing.assert_close(
        encoder.normalise.mean.flatten() / 255, torch.tensor([0.48145466, 0.4578275, 0.40821073])
    )
    torch.testing.assert_close(
        encoder.normalise.std.flatten() / 255, torch.tensor([0.26862954, 0.26130258, 0.27577711])
    )


@pytest.mark.slow
def test_of_siglip_the_vector_is_what_its_attention_pools(libraries, tmp_path, photos):  # noqa: F811
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**sizes, "image_size": 24, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config={**sizes, "vocab_size": 49408}, vision_config=vision)).eval()
    from tests.clip.tiny import write_transformers

    name = write_transformers(tmp_path / "siglip")  # for its tokenizer
    model.save_pretrained(name)
    SiglipImageProcessor(size={"height": 24, "width": 24}).save_pretrained(name)
    encoder = ClipPatches(model=str(name))
    found = seen(encoder, photos[:2])
    assert found.tokens.shape == (2, 9, 12)
    pixels = torch.stack([encoder.transform(Image.open(path).convert("RGB"))[0] for path in photos[:2]])
    with torch.no_grad():
        wanted = model.vision_model(pixel_values=encoder.normalise(pixels))
    torch.testing.assert_close(found.pooled, wanted.pooler_output, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(found.tokens, wanted.last_hidden_state, atol=2e-3, rtol=2e-3)


def test_the_text_tower_is_dropped(folder):  # noqa: F811
    assert not [name for name in ClipPatches(model=str(folder)).state_dict() if "text" in name]


@pytest.mark.slow
def test_a_recipe_trains_on_it_and_the_run_finds_a_folder_that_moved(folder, photos, tmp_path):  # noqa: F811
    few = ["data.images=20", "data.val_images=4", "data.test_images=4", "train.max_steps=2", "tokenizer.min_count=1"]
    small = ["decoder.dim=8", "decoder.heads=2", "decoder.layers=1", "decoder.mlp_dim=12", "decode.max_length=6"]
    moved = shutil.copytree(folder, tmp_path / "moved")
    recipe = showtell.load_recipe("scenes", ["encoder=clip", f"encoder.model={moved}", *few, *small])
    run = showtell.train(recipe, tmp_path / "run")
    said = showtell.load(run).caption([photos[0]])
    moved.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        showtell.load(run)
    from showtell.loading import load

    again = load(run, [f"encoder.model={tmp_path / 'elsewhere'}"])
    assert again.caption([photos[0]]) == said


@pytest.mark.slow
def test_it_stands_beside_other_encoders(folder, photos):  # noqa: F811
    both = showtell.ENCODERS["concat"](parts=[{"name": "clip", "model": str(folder)}] * 2)
    assert seen(both, photos[:1]).tokens.shape == (1, CELLS, 2 * VISION)


@pytest.mark.parametrize(
    ("settings", "error", "word"),
    [
        ({"model": "./nowhere"}, InputError, "hub id"),
        ({"model": "open_clip:ViT-B32/openai"}, InputError, "ViT-B-32"),
        ({"trainable": 3}, RecipeError, "1 to 2"),
        ({"grid_size": 0}, RecipeError, "1 or more"),
    ],
)
def test_what_cannot_be_is_refused(folder, settings, error, word):  # noqa: F811
    with pytest.raises(error, match=word) as found:
        ClipPatches(**{"model": str(folder), **settings})
    assert found.value.key == next(iter(settings))


def test_a_recipe_names_the_option_of_a_model_that_is_out_of_reach(libraries):  # noqa: F811
    from showtell.recipe.build import build_encoder
    from showtell.recipe.check import check
    from showtell.settings.text import load_recipe

    with pytest.raises(InputError, match="out of reach") as found:
        build_encoder(check(load_recipe("scenes", ["encoder=clip"])))
    assert found.value.key == "encoder.model"


def test_a_tower_without_patches_is_refused(libraries, tmp_path):  # noqa: F811
    import json

    import open_clip

    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    config = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "showtell-resnet.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "showtell-resnet.json")
    torch.save(open_clip.create_model("showtell-resnet").state_dict(), tmp_path / "weights.pt")
    with pytest.raises(InputError, match="no patch tokens"):
        ClipPatches(model=f"open_clip:showtell-resnet/{tmp_path / 'weights.pt'}")


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_a_tower_of_timm_within_open_clip_has_patches(libraries, tmp_path, photos, pool):  # noqa: F811
    import json

    import open_clip

    vision = {"image_size": 32, "timm_model_name": "test_vit", "timm_model_pretrained": False, "timm_pool": pool}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    config = {"embed_dim": 8, "vision_cfg": {**vision, "timm_proj": "linear"}, "text_cfg": text}
    (tmp_path / f"showtell-timm-{pool}.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / f"showtell-timm-{pool}.json")
    model = open_clip.create_model(f"showtell-timm-{pool}").eval()
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    encoder = ClipPatches(model=f"open_clip:showtell-timm-{pool}/{tmp_path / 'weights.pt'}", space="joint")
    pixels = torch.stack([encoder.transform(Image.open(path).convert("RGB"))[0] for path in photos[:2]])
    found = encoder(pixels, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    assert found.tokens.shape == (2, 4, 8)
    with torch.no_grad():
        wanted = model.encode_image(encoder.normalise(pixels))
    torch.testing.assert_close(found.pooled, wanted, atol=2e-3, rtol=2e-3)
