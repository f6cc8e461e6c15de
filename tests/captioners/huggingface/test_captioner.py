"""The captioner of others' models as a user meets it: commands, runs, prompts, decoding."""

import json
import shutil

import pytest
import torch
from PIL import Image

import showtell
from showtell.explain.explain import explain
from showtell.plumbing.errors import InputError
from showtell.recipe.check import check
from tests.captioners.huggingface.tiny import folder
from tests.captioners.huggingface.used import DATA, FEW, made, paths, run_command

# Commands


def test_caption_takes_a_folder_of_transformers(tmp_path):
    for path in paths()[:2]:
        shutil.copy(path, tmp_path)
    found = run_command("caption", str(tmp_path), "--model", str(folder("git")), "decode=greedy", "decode.max_length=5")
    assert found.exit_code == 0, found.output
    assert [line.partition(":")[0] for line in found.stdout.splitlines()] == sorted(path.name for path in paths()[:2])


def test_caption_in_python_says_the_same():
    (path,) = paths()[:1]
    text = showtell.caption(path, folder("blip"), max_length=7)[path.name]
    assert text == showtell.load(folder("blip")).caption([path], max_length=7)[0].text


@pytest.mark.slow
def test_a_run_is_evaluated_and_compared_like_any(tmp_path):
    said = made(tmp_path / "run", f"captioner.model={folder('blip')}", *FEW)
    assert "nothing was trained" in said
    scored = run_command("evaluate", str(tmp_path / "run"))
    assert scored.exit_code == 0, scored.output
    signature = json.loads((tmp_path / "run/scores-val.json").read_text())["scores"]["CIDEr-D"]["signature"]
    for part in ("model=blip@", "images=BlipImageProcessor", "prompt=None", "clean=yes", "beam(num_beams=5"):
        assert part in signature
    greedy = run_command("evaluate", str(tmp_path / "run"), "decode=greedy", "--out", str(tmp_path / "greedy"))
    assert greedy.exit_code == 0, greedy.output
    compared = run_command("compare", str(tmp_path / "run"), str(tmp_path / "greedy"), "--metrics", "CIDEr-D")
    assert compared.exit_code == 0, compared.output


@pytest.mark.slow
def test_a_model_is_evaluated_by_its_name_alone(tmp_path):
    words = ("evaluate", str(folder("git")), *DATA, *FEW)
    scored = run_command(*words, "--out", str(tmp_path / "git"))
    assert scored.exit_code == 0, scored.output
    captions = json.loads((tmp_path / "git/captions-val.json").read_text())
    captioner = showtell.load(folder("git"))
    assert list(captions.values()) == [c.text for c in captioner.caption(paths(), max_length=6)]
    refused = run_command(*words)
    assert refused.exit_code != 0 and "--out FOLDER" in str(refused.exception)
    nothing = run_command("evaluate", str(folder("git")), "--out", str(tmp_path / "none"))
    assert nothing.exit_code != 0 and "data.root=DIR" in str(nothing.exception)


def test_a_run_is_made_once(tmp_path):
    run, model = tmp_path / "run", f"captioner.model={folder('blip')}"
    made(run, model)
    written = {path.name for path in run.iterdir() if path.name[0] != "."}
    assert written == {"README.md", "recipe.yaml", "made.json"}
    with pytest.raises(InputError, match="--resume"):
        made(run, model)
    assert "nothing to resume" in made(run, model, resume=True)
    with pytest.raises(InputError, match=r"captioner\.prompt"):
        made(run, model, "captioner.prompt=a dog", resume=True)


def test_saved_and_loaded_it_is_driven_as_before(tmp_path):
    captioner = showtell.load(folder("blip"))
    words = ["captioner.prompt=a dog", "decode=greedy", "decode.max_length=6"]
    captioner.adopt(showtell.load_recipe("huggingface", [f"captioner.model={folder('blip')}", *words, *DATA]))
    captioner.save_pretrained(tmp_path / "saved")
    again = showtell.load(tmp_path / "saved")
    assert again.caption(paths()) == captioner.caption(paths())
    assert (again.manner, again.fingerprint) == (captioner.manner, captioner.fingerprint)
    assert "`blip` of transformers" in (tmp_path / "saved/README.md").read_text()
    with pytest.raises(InputError, match="hf upload"):
        again.push_to_hub("you/blip")


@pytest.mark.slow
def test_a_model_that_moved_is_found_where_it_is_now(tmp_path, copy):
    made(tmp_path / "run", f"captioner.model={copy}")
    moved = copy.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"is no folder.*captioner\.model=FOLDER"):
        showtell.load(tmp_path / "run")
    found = run_command("caption", str(paths()[0]), "--model", str(tmp_path / "run"), f"captioner.model={moved}")
    assert found.exit_code == 0, found.output


def test_it_is_explained_by_occlusion_and_shows_no_attention(blip):
    with pytest.raises(InputError, match="'huggingface' shows no attention"):
        explain(blip, Image.new("RGB", (9, 9)), how="attention", max_length=5)
    assert explain(blip, Image.new("RGB", (9, 9)), max_length=5).how == "occlusion"


# How it is asked, and what it answers


def test_a_prompt_is_read_and_is_no_part_of_the_caption(blip):
    captioner = showtell.load(folder("blip"))
    recipe = blip.recipe | {"captioner": blip.recipe["captioner"] | {"prompt": "a dog"}}
    captioner.adopt(recipe)
    plain, asked = (each.caption(paths(), name="greedy", max_length=8) for each in (blip, captioner))
    assert [c.tokens for c in plain] != [c.tokens for c in asked]
    assert all(len(caption.tokens) <= 7 for caption in asked)
    assert "prompt='a dog'" in captioner.manner and captioner.fingerprint != blip.fingerprint
    assert [sum(row) for row in captioner.log_probs(paths(), asked)] == pytest.approx(
        [caption.log_prob for caption in asked], abs=1e-4
    )


def test_git_goes_on_after_a_prompt_as_its_authors_have_it():
    """Their code puts cls before the prompt and no sep behind it."""
    captioner = showtell.load(folder("git"))
    captioner.adopt(captioner.recipe | {"captioner": captioner.recipe["captioner"] | {"prompt": "a dog"}})
    loaded = captioner.loaded
    photo = Image.open(paths()[0]).convert("RGB")
    begin = [loaded.tokenizer.cls_token_id, *loaded.tokenizer("a dog", add_special_tokens=False)["input_ids"]]
    pixels = loaded.images(images=photo, return_tensors="pt")["pixel_values"]
    made = loaded.network.generate(pixel_values=pixels, input_ids=torch.tensor([begin]), max_new_tokens=5)
    assert captioner.caption([photo], name="greedy", max_length=6)[0].tokens == made[0, len(begin) :].tolist()


def test_a_model_that_reads_no_text_refuses_a_prompt():
    captioner = showtell.load(folder("vision-encoder-decoder"))
    captioner.adopt(captioner.recipe | {"captioner": captioner.recipe["captioner"] | {"prompt": "a dog"}})
    with pytest.raises(InputError, match=r"captioner\.prompt is 'a dog'.*vision-encoder-decoder"):
        captioner.caption(paths())


@pytest.mark.slow
def test_cleaning_is_in_the_signature(monkeypatch):
    captioner = showtell.load(folder("blip"))
    monkeypatch.setattr(captioner.loaded.tokenizer, "decode", lambda *_, **__: "The image shows a dog. Well")
    assert {caption.text for caption in captioner.caption(paths())} == {"a dog. Well"}
    section = captioner.recipe["captioner"]
    captioner.adopt(captioner.recipe | {"captioner": section | {"strip": ["a "], "stop": [" well"]}})
    assert {caption.text for caption in captioner.caption(paths())} == {"dog."}
    assert "strip=['a ']" in captioner.manner and "stop=[' well']" in captioner.manner
    captioner.adopt(captioner.recipe | {"captioner": section | {"clean": False}})
    assert {caption.text for caption in captioner.caption(paths())} == {"The image shows a dog. Well"}
    assert "clean=no" in captioner.manner


@pytest.mark.slow
def test_a_seed_draws_the_same_in_any_batch_and_other_seeds_draw_another(blip):
    photos = paths("train")[:5]

    def draw(some, seed):
        return [c.tokens for c in blip.caption(some, name="sample", seed=seed, max_length=8)]

    first = draw(photos, 3)
    before = torch.get_rng_state()
    assert draw(photos[::-1], 3)[::-1] == first != draw(photos, 4)
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's dice are touched


@pytest.mark.slow
def test_of_several_samples_the_likeliest_counts(blip):
    one = blip.caption(paths(), name="sample", seed=1, max_length=6)
    best = blip.caption(paths(), name="sample", seed=1, max_length=6, num_return_sequences=20)
    assert sum(c.log_prob for c in best) > sum(c.log_prob for c in one)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_precision_is_chosen_and_named(dtype):
    recipe = check({"captioner": {"name": "huggingface", "model": str(folder("llava")), "dtype": dtype}})
    captioner = type(showtell.load(folder("llava"))).open_model(recipe)
    torch_name = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[dtype]
    assert f"dtype={torch_name}" in captioner.manner
    assert captioner.caption(paths()[:1], name="greedy", max_length=5)[0].log_prob < 0


def test_pictures_are_turned_upright_and_read_as_rgb(blip, tmp_path):
    picture = Image.open(paths()[0]).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=turned)
    picture.convert("RGBA").save(tmp_path / "clear.png")
    upright = picture.transpose(Image.Transpose.ROTATE_270)
    names = [tmp_path / "turned.png", tmp_path / "clear.png", Image.open(tmp_path / "turned.png")]
    assert blip.caption(names, max_length=6) == blip.caption([upright, picture, upright], max_length=6)
