"""Taipei's command lines: problem 1, training, captions, scores; files as the course's own scripts read them."""

import json
import shutil
import zipfile

import pytest
import torch

from tests.course_data import ROOT, TRAIN, VAL, call, tiny_gpt2, write_taipei

SMALL = ["encoder=lite", "encoder.image_size=64", "peft.width=3", "train.max_steps=2", "train.batch_size=4"]
SMALL += ["train.precision=fp32", "decode.max_length=6", "decode.num_beams=2", "train.select=loss"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with the course's data and a checkpoint, made from another working folder with relative paths."""
    folder = tmp_path_factory.mktemp("taipei")
    write_taipei(folder / "p2_data")
    paths = ["--images_root", "p2_data/images", "--annotations", "p2_data", "--decoder", "p2_data/decoder_model.bin"]
    done = call("taipei", "p2_train.py", *paths, "--peft", "adapter", "--out", "made", *SMALL, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_checkpoint_is_a_flat_dict_of_what_trained(trained):
    (file,) = (trained / "made").glob("*.pth")
    tensors = torch.load(file, weights_only=True)
    assert file.name == "p2_adapter.pth" and all(isinstance(part, torch.Tensor) for part in tensors.values())
    assert any("adapter" in name for name in tensors) and any("cross_attention" in name for name in tensors)
    assert not any("self_attention.qkv" in name or "mean" in name for name in tensors)
    assert sum(part.numel() for part in tensors.values()) < 35_000_000


def inferred(folder, *arguments, **environment):
    environment = {"TAIPEI_CHECKPOINT": str(folder / "made")} | environment
    return call("taipei", "hw3_2.sh", *arguments, cwd=folder, program="bash", **environment)


@pytest.mark.slow
def test_captions_of_a_folder_go_into_a_json_by_stem_and_are_scored(trained, tmp_path):
    (tmp_path / "blocked" / "transformers").mkdir(parents=True)
    (tmp_path / "blocked" / "transformers" / "__init__.py").write_text("raise ImportError('not allowed here')")
    paths = ["p2_data/images/val", "out/said.json", "p2_data/decoder_model.bin"]
    done = inferred(trained, *paths, PYTHONPATH=f"{tmp_path / 'blocked'}:{ROOT}")
    assert done.returncode == 0, done.stderr
    said = json.loads((trained / "out" / "said.json").read_text())
    assert len(said) == VAL and "96399948" in said and "000000000001" in said

    scored = ["--pred_file", "out/said.json", "--images_root", "p2_data/images/val"]
    scored += ["--annotation_file", "p2_data/val.json"]
    done = call("taipei", "p2_evaluate.py", *scored, cwd=trained, SHOWTELL_CLIP="none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("CIDEr: ") and done.stdout.endswith("| CLIPScore: nan\n")

    (trained / "out" / "less.json").write_text(json.dumps(dict([*said.items()][1:])))
    scored[1] = "out/less.json"
    assert call("taipei", "p2_evaluate.py", *scored, cwd=trained, SHOWTELL_CLIP="none").returncode == 1


@pytest.mark.slow
def test_weights_with_a_prefix_and_a_missing_checkpoint_are_refused_in_one_line(trained):
    torch.save(tiny_gpt2("transformer."), trained / "prefixed.bin")
    done = inferred(trained, "p2_data/images/val", "x.json", "prefixed.bin")
    assert done.returncode and "prefix" in done.stderr and done.stderr.count("\n") == 1
    done = inferred(trained, "p2_data/images/val", "x.json", "p2_data/decoder_model.bin", TAIPEI_CHECKPOINT="nowhere")
    assert done.returncode and "nowhere" in done.stderr and done.stderr.count("\n") == 1
    assert inferred(trained, "p2_data/images/val").returncode == 2
    assert not (trained / "x.json").exists()


@pytest.mark.slow
def test_problem_1_writes_a_csv_of_keys(trained):
    (trained / "id2label.json").write_text(json.dumps({"0": "square", "1": "circle"}))
    arguments = ["p2_data/images/train", "id2label.json", "labels.csv"]
    done = call("taipei", "hw3_1.sh", *arguments, cwd=trained, program="bash", SHOWTELL_CLIP="tiny")
    assert done.returncode == 0, done.stderr
    header, *rows = (trained / "labels.csv").read_text().splitlines()
    assert header == "filename,label" and len(rows) == TRAIN
    assert all(row.partition(",")[0].endswith(".jpg") and row.partition(",")[2] in ("0", "1") for row in rows)


@pytest.mark.slow
def test_the_report_and_the_hand_in(trained, tmp_path):
    (trained / "p3_data" / "images").mkdir(parents=True, exist_ok=True)
    (trained / "p3_data" / "images" / "bike.jpg").write_bytes(
        (trained / "p2_data/images/val/96399948.jpg").read_bytes()
    )
    done = call("taipei", "report.py", "--id", "R1", "--pdf", "--data", ".", "--runs", "made", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert (trained / "hw3_R1.pdf").read_bytes().startswith(b"%PDF")

    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "courses" / "taipei", folder)
    done = call("taipei", folder / "hand_in.py", "--id", "R1", cwd=tmp_path)
    assert done.returncode == 2 and "hw3_R1.pdf is missing" in done.stderr and "has no address" in done.stderr
    assert not (folder / "hw3_R1.zip").exists()
    shutil.copy(trained / "hw3_R1.pdf", folder)
    shutil.copytree(trained / "made", folder / "p2_checkpoint")
    script = folder / "hw3_download.sh"
    script.write_text(script.read_text().replace('URL=""', 'URL="https://example.org/p2_checkpoint.zip"'))
    done = call("taipei", folder / "hand_in.py", "--id", "R1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hw3_1.sh" in zipfile.ZipFile(folder / "hw3_R1.zip").namelist()
    script.write_text(script.read_text() + "rm -r x\n")
    assert "uses rm" in call("taipei", folder / "hand_in.py", "--id", "R1", cwd=tmp_path).stderr


@pytest.mark.slow
def test_the_names_of_the_course_decoder_and_tokenizer(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "courses" / "taipei"))
    from decoder import Attention, Block, Config, Decoder
    from tokenizer import BPETokenizer

    from showtell.tokenizers.gpt2 import _packaged

    cfg = Config()
    cfg.n_layer, cfg.n_head, cfg.n_embd, cfg.vocab_size, cfg.block_size = 2, 3, 12, 31, 7
    model = Decoder(cfg).eval()
    assert model(torch.zeros(2, 9, dtype=torch.long)).shape == (2, 7, 31)
    assert model.lm_head.weight is model.transformer.wte.weight and len(model.transformer.h) == 2
    maps = ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"]
    names = {f"h.{i}.{name}.{kind}" for i in (0, 1) for name in maps for kind in ("weight", "bias")}
    names |= {"wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"}  # those of decoder_model.bin
    assert {name for name in model.transformer.state_dict() if "cross_" not in name} == names
    x = torch.randn(2, 5, 12)
    by_layers, (theirs, *_) = Block(cfg)(x), Attention(cfg)(x)
    assert by_layers.shape == (2, 5, 12) and theirs.shape == (5, 12)
    embedded = model.transformer.wte(ids := torch.randint(31, (2, 6))) + model.transformer.wpe.weight[:6]
    for block in model.transformer.h:
        embedded = block(embedded)
    assert torch.allclose(model.lm_head(model.transformer.ln_f(embedded)), model(ids), atol=1e-5)
    words = BPETokenizer(_packaged() / "encoder.json", _packaged() / "vocab.bpe")
    text = "a kitchen with a sink and many cooking machines and a pot of food"
    ids = [64, 9592, 351, 257, 14595, 290, 867, 10801, 8217, 290, 257, 1787, 286, 2057]
    assert words.encode(text) == ids and words.decode(ids) == text
    assert words.encode("a<|endoftext|>", allowed_special=["<|endoftext|>"]) == [64, 50256]
    with pytest.raises(AssertionError):
        words.encode("<|endoftext|>")
