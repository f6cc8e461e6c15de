"""The captioner of others' models as a user meets it: commands, runs, prompts, memory that ends, and bad input."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import showtell
from showtell import checkpoint
from showtell.captioners.huggingface import answers as generation
from showtell.captioners.huggingface.batches import in_batches
from showtell.captioners.huggingface.network import digest_folder
from showtell.cli import app
from showtell.data.scenes.scenes import scenes
from showtell.explain.explain import explain
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.check import check
from showtell.settings.text import load_recipe
from showtell.training.loop import train
from tests.captioners.huggingface.tiny import byte_pairs, folder
from tests.small import RECIPE

SCENES = {name: value for name, value in RECIPE["data"].items() if name != "name"}
DATA = ["data=scenes", *(f"data.{name}={value}" for name, value in SCENES.items())]
FEW = ["decode.max_length=6", "evaluate.metrics=[CIDEr-D, BLEU-1]"]


def run_command(*words):
    return CliRunner().invoke(app, [*words], catch_exceptions=True)


def paths(split="val"):
    return [record.path for record in scenes(**SCENES) if record.split == split]


def made(run, *overrides, resume=False):
    """What `showtell train huggingface` says."""
    said = io.StringIO()
    recipe = check(load_recipe("huggingface", [*DATA, *overrides]))
    train(recipe, run, resume, Console(file=said, width=300))
    return said.getvalue()


@pytest.fixture
def copy(tmp_path):
    """A folder of a tiny BLIP that a test may damage."""
    return shutil.copytree(folder("blip"), tmp_path / "model")


@pytest.fixture(scope="module")
def blip():
    return showtell.load(folder("blip"))


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


def test_a_seed_draws_the_same_in_any_batch_and_other_seeds_draw_another(blip):
    photos = paths("train")[:5]

    def draw(some, seed):
        return [c.tokens for c in blip.caption(some, name="sample", seed=seed, max_length=8)]

    first = draw(photos, 3)
    before = torch.get_rng_state()
    assert draw(photos[::-1], 3)[::-1] == first != draw(photos, 4)
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's dice are touched


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


# Memory


def test_batches_shrink_until_memory_has_room():
    sizes = []

    def work(some):
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * each for each in some]

    assert in_batches(range(7), 8, work) == ([0, 2, 4, 6, 8, 10, 12], 2)
    assert sizes == [7, 4, 2, 2, 2, 1]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_no_room_for_one_photo_is_an_error_with_advice(blip, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(generation, "_generated", full)
    with pytest.raises(InputError, match=r"one photo.*decode\.num_beams"):
        showtell.load(folder("blip")).caption(paths())


def test_another_error_is_not_tried_again():
    calls = []

    def work(some):
        calls.append(len(some))
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_batches([1, 2], 2, work)
    assert calls == [2]


def test_smaller_batches_say_the_same_and_are_remembered(monkeypatch):
    captioner, usual = showtell.load(folder("llava")), generation._generated
    wanted = captioner.caption(paths(), max_length=6)

    def small(found):
        if len(found.sequences) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return usual(found)

    monkeypatch.setattr(generation, "_generated", small)
    found = captioner.caption(paths(), max_length=6)
    assert [c.tokens for c in found] == [c.tokens for c in wanted]
    assert captioner.at_once == 2


# Bad input


def told(wrong, *words):
    """The one line of an error has all the words."""
    line = str(wrong.value)
    assert "\n" not in line and len(line) < 500
    for word in words:
        assert word in line, line


def config(path, **changes):
    content = json.loads((path / "config.json").read_text()) | changes
    (path / "config.json").write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: (path / "config.json").write_text("{"), ["damaged config.json"]),
        (lambda path: (path / "config.json").write_text("<html>no</html>"), ["damaged config.json"]),
        (lambda path: (path / "config.json").write_text("[]"), ["without model_type"]),
        (lambda path: config(path, model_type=None), ["without model_type"]),
        (lambda path: config(path, model_type="bert"), ["'bert'", "generates no text from photos", "blip"]),
        (lambda path: config(path, model_type="clip"), ["'clip'", "generates no text from photos"]),
        (lambda path: config(path, model_type="nonsense9"), ["'nonsense9'", "transformers"]),
        (
            lambda path: config(path, model_type="moondream1", auto_map={"AutoModel": "code.Model"}),
            ["'moondream1'", "code of its own", "never runs"],
        ),
        (lambda path: (path / "model.safetensors").write_bytes(b"nonsense"), ["cannot be loaded"]),
        (lambda path: (path / "model.safetensors").unlink(), ["cannot be loaded"]),
        (lambda path: config(path, model_type="git"), ["cannot be loaded"]),
        (lambda path: [each.unlink() for each in path.glob("*token*")] + [(path / "vocab.txt").unlink()], ["tokens"]),
        (lambda path: (path / "processor_config.json").unlink(), ["cannot be loaded"]),
    ],
)
def test_a_damaged_or_foreign_folder_is_one_line(copy, damage, words):
    damage(copy)
    with pytest.raises(InputError) as wrong:
        showtell.load(copy)
    told(wrong, *words)


def test_a_model_that_was_not_trained_to_caption_is_refused(tmp_path):
    """BLIP for retrieval has no text decoder: transformers would draw one at random, and say so in a warning."""
    from safetensors.torch import load_file, save_file

    path = shutil.copytree(folder("blip"), tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("text_decoder.cls")}
    save_file(kept, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError) as wrong:
        showtell.load(path)
    told(wrong, "lacks", "BlipForConditionalGeneration", "text_decoder.cls", "random")


def test_code_that_comes_with_a_model_is_never_run(copy):
    (copy / "evil.py").write_text("raise SystemExit('run')")
    for file in ("config.json", "processor_config.json", "tokenizer_config.json"):
        content = json.loads((copy / file).read_text())
        names = ("AutoConfig", "AutoModelForImageTextToText", "AutoProcessor", "AutoTokenizer", "AutoImageProcessor")
        content["auto_map"] = dict.fromkeys(names, "evil.Evil")
        (copy / file).write_text(json.dumps(content))
    assert showtell.load(copy).caption(paths()[:1], max_length=4)[0].log_prob < 0


def test_weights_of_pytorch_are_read_as_plain_tensors(copy):
    """A pickle that does something when it is read does nothing here."""
    from safetensors.torch import load_file

    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(tensors, copy / "pytorch_model.bin")
    assert showtell.load(copy).caption(paths()[:1], max_length=4)[0].text is not None

    class Evil:
        def __reduce__(self):
            return (sys.exit, ("run",))

    torch.save(tensors | {"evil": Evil()}, copy / "pytorch_model.bin")
    with pytest.raises(InputError) as wrong:
        showtell.load(copy)
    told(wrong, "cannot be loaded")


def test_a_missing_package_names_the_extra(monkeypatch):
    path = folder("blip")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError) as wrong:
        showtell.load(path)
    told(wrong, "transformers", "showtell[lm]")


def test_a_package_that_transformers_lacks_names_the_extra(monkeypatch):
    import transformers

    path = folder("idefics3")

    def lacks(*_, **__):
        raise ImportError("Package `num2words` is required to run SmolVLM processor.")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", lacks)
    with pytest.raises(InputError) as wrong:
        showtell.load(path)
    told(wrong, "num2words", "showtell[lm]")


def test_a_network_that_cannot_read_its_input_is_one_line(tmp_path):
    """Its tokenizer knows words that the network does not."""
    path = shutil.copytree(folder("llava"), tmp_path / "model")
    tokenizer = byte_pairs("<image>")
    tokenizer.add_tokens([f"word{number}" for number in range(50)])
    tokenizer.save_pretrained(path)
    captioner = showtell.load(path)
    captioner.adopt(captioner.recipe | {"captioner": captioner.recipe["captioner"] | {"prompt": "word49"}})
    with pytest.raises(InputError) as wrong:
        captioner.caption(paths()[:1])
    told(wrong, "'model' cannot caption")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (["decode=diverse_beam"], "decode.name"),
        (["decode.must=[dog]"], "decode.must"),
        (["decode.must_not=[dog]"], "decode.must_not"),
        (["decode.num_beams=0"], "decode.num_beams"),
        (["decode.num_beam=2"], "decode.num_beam"),
        (["encoder=lite"], "encoder"),
        (["train.lr=1"], "train.lr"),
        (["captioner.modle=x"], "captioner.modle"),
        (["captioner.dtype=int4"], "captioner.dtype"),
        (["captioner.batch_size=0"], "captioner.batch_size"),
        (["captioner.strip=a dog"], "captioner.strip"),
    ],
)
def test_what_it_cannot_do_is_refused_with_its_key(tmp_path, changes, key):
    with pytest.raises(RecipeError) as wrong:
        made(tmp_path / "run", f"captioner.model={folder('blip')}", *changes)
    assert wrong.value.key == key
    assert not (tmp_path / "run" / checkpoint.RECIPE).exists()


def test_one_call_with_an_option_that_nobody_knows_is_refused(blip):
    with pytest.raises(RecipeError, match=r"^decode\.num_beam "):
        blip.caption(paths()[:1], num_beam=3)
    with pytest.raises(RecipeError, match=r"^decode\.name "):
        blip.caption(paths()[:1], name="diverse_beam")


def test_equal_folders_have_equal_digests_and_other_weights_another(copy):
    assert digest_folder(copy) == digest_folder(folder("blip"))
    (copy / "notes.md").write_text("mine")
    assert digest_folder(copy) == digest_folder(folder("blip"))
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert digest_folder(copy) != digest_folder(folder("blip"))


def test_a_photo_among_others_that_cannot_be_read_costs_only_itself(tmp_path):
    for path in paths()[:2]:
        shutil.copy(path, tmp_path)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    found = run_command("caption", str(tmp_path), "--model", str(folder("blip")), "decode.max_length=4")
    assert found.exit_code == 3 and len(found.stdout.splitlines()) == 2
    assert "bad.jpg" in found.stderr


def test_a_photo_that_the_model_refuses_costs_only_itself(tmp_path):
    """Qwen2-VL takes no photo that is 200 times as wide as high."""
    for number, size in enumerate([(20, 30), (2, 900), (30, 20)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    words = ("--model", str(folder("qwen2_vl")), "decode.max_length=4", "decode=greedy")
    found = run_command("caption", str(tmp_path), *words)
    assert found.exit_code == 3 and len(found.stdout.splitlines()) == 2
    assert "1.png" in found.stderr and "aspect ratio" in found.stderr
    alone = run_command("caption", str(tmp_path / "1.png"), *words)
    assert isinstance(alone.exception, InputError) and "aspect ratio" in str(alone.exception)


def test_odd_photos_are_captioned(blip):
    photos = [Image.new("RGB", size) for size in ((1, 1), (300, 2), (2, 300))]
    assert len(blip.caption(photos, max_length=4)) == 3
    assert blip.caption([]) == []
    noise = Image.fromarray(np.random.RandomState(1).randint(0, 256, (9, 9), dtype=np.uint8))
    assert blip.caption([noise], max_length=4)[0].log_prob < 0
