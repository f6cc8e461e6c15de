"""What a captioner of others refuses in one line, and what costs only itself."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import showtell
from showtell import checkpoint
from showtell.captioners.huggingface.network import digest_folder
from showtell.plumbing.errors import InputError, RecipeError
from tests.captioners.huggingface.tiny import byte_pairs, folder
from tests.captioners.huggingface.used import made, paths, run_command


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


@pytest.mark.slow
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
