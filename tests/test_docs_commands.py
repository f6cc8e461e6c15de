"""What the pages tell people to type: every command is one that there is, and whole pages are followed."""

import json
import re
import shlex
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from showtell.cli import app
from showtell.loading import packaged_models
from showtell.plumbing.hub import place_of
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.recipe.check import check
from showtell.settings.text import load_recipe, override, read_yaml
from tests.pages import PAGES, ROOT, blocks, commands

pytestmark = pytest.mark.pages
FOLLOWED = [
    "README.md",
    "docs/huggingface.md",
    "docs/formats.md",
    "docs/recipes.md",
    "docs/how-it-works.md",
    "docs/tutorial.md",
    "docs/classify.md",
    "docs/explain.md",
    "docs/report.md",
]
QUICK = {"docs/formats.md", "docs/how-it-works.md"}  # the others are slow tests
ALL = [
    (page, command)
    for page in PAGES
    for block in blocks(page)
    if block.language == "bash"
    for command in commands(block.text)
]
SMALL = [  # what makes a training short; of these, the ones that the recipe's parts know
    *("train.max_steps=2", "train.batch_size=5", "tokenizer.min_count=1", "encoder.image_size=64"),
    *("decoder.dim=8", "decoder.heads=2", "decoder.layers=1", "decoder.mlp_dim=12", "decode.max_length=6"),
]
FEW_SCENES = ["data.images=20", "data.val_images=4", "data.test_images=5"]
KARPATHY = {
    "images": [
        {
            "filename": f"{number}.jpg",
            "split": split,
            "sentences": [{"raw": f"a {word} photo ."}, {"raw": f"all {word}"}],
        }
        for number, (split, word) in enumerate(zip(["train"] * 4 + ["val", "test", "test"], "abcdefg", strict=True))
    ]
}


def params(words):
    """What the command line makes of the words: (command, its arguments and options); fails where it knows none."""
    name, *rest = words
    command = typer.main.get_command(app).commands[name]
    return name, command.make_context(name, rest).params


def written_recipes(page):
    """Files that the page has people write from a packaged recipe, such as `showtell recipes bern-6 > mine.yaml`."""
    own = [command for where, command in ALL if where == page and command.into]
    return {command.into: command.words[1] for command in own if command.words[0] == "recipes"}


@pytest.mark.parametrize(
    ("page", "command"), ALL, ids=[f"{page.name}: {shlex.join(command.words)}" for page, command in ALL]
)
def test_every_command_of_the_pages_is_one(page, command):
    name, given = params(command.words)
    if any("$" in word for word in command.words):  # a loop's variable: the shell knows what it stands for
        return
    if name in ("train", "features"):
        recipe = written_recipes(page).get(given["recipe"], given["recipe"])
        check(load_recipe(recipe, given["overrides"] or []))
    words = given.get("overrides" if name == "evaluate" else "photos")
    words = words if isinstance(words, list) else []  # of `score` they are one folder
    check(override(load_recipe("bern-6"), [word for word in words if word.startswith("decode")]))


def test_a_command_that_is_none_would_be_noticed():
    (loop,) = commands("for n in 1 2; do A=1 .venv/bin/showtell train bern-$n --sped; done  # showtell no\n")
    assert loop.words == ["train", "bern-$n", "--sped"]
    with pytest.raises(Exception, match="No such option: --sped"):
        params(loop.words)
    (kept,) = commands("showtell recipes \\\n  bern-6 > mine.yaml\n")
    assert kept.words == ["recipes", "bern-6"] and kept.into == "mine.yaml"


def draw_photos(karpathy, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, entry in enumerate(karpathy["images"]):
        Image.new("RGB", (40 + number, 30), (30 * number, 90, 200)).save(folder / entry["filename"])


def put(path, text):
    """A file that the page shows; of Karpathy's form, its photos too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    if path.name.startswith("dataset_"):
        draw_photos(json.loads(text), path.parent / "images")


def runs_here(words):
    """Whether a command needs neither the demo's minutes, nor a model hub, nor a model that is not there."""
    name, given = params(words)
    if name == "classify":  # not with a CLIP, and not the measurements
        return given["model"] in packaged_models() and all(Path(photo).exists() for photo in given["photos"])
    if name == "explain" and given["check"] is not None and not given["check"].exists():
        return False  # a folder that the page's Python would have drawn
    if name == "report" and given["pdf"] and find_spec("typst") is None:
        return False
    if name in ("demo", "serve") or (given.get("model") == "tiny" and "tiny" not in packaged_models()):
        return False
    model = given.get("model") or "tiny"
    if model != "tiny" and isinstance(place_of(model), str):
        return False
    if name not in ("train", "features"):
        return True
    recipe = check(load_recipe(given["recipe"], given["overrides"] or []))
    return recipe.get("encoder", {}).get("weights") != "hub"


def small(words):
    """The words, and for a training what makes it short."""
    if words[0] != "train":
        return words
    recipe = check(load_recipe(words[1], params(words)[1]["overrides"] or []))
    wanted = SMALL + FEW_SCENES if recipe["data"]["name"] == "scenes" else SMALL
    keys = ((item, item.partition("=")[0].split(".")) for item in wanted)
    return [*words, *(item for item, (section, key) in keys if key in recipe.get(section, {}))]


def follow(page, folder):
    """Do what the page says, in its order. Its Python blocks share their names, as in one session."""
    names = {"__name__": "page"}
    needs_tiny = any('load("tiny")' in block.text or ".caption(" in block.text for block in blocks(page))
    for block in blocks(page):
        if block.file is not None:
            put(folder / block.file, block.text)
        elif block.language == "python" and (not needs_tiny or "tiny" in packaged_models()):
            exec(compile(block.text, page.name, "exec"), names)
        for command in commands(block.text) if block.language == "bash" else []:
            if runs_here(command.words):
                result = CliRunner().invoke(app, small(command.words), catch_exceptions=False)
                assert result.exit_code == 0, (command.words, result.output)
                if command.into:
                    put(folder / command.into, result.stdout)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """`followed(page)` -> the folder of a followed page, after all was done. Every page is followed once."""

    repair_torchvision()  # before a page imports transformers

    @cache
    def run(name):
        folder = tmp_path_factory.mktemp("page")
        put(folder / "flickr8k/dataset_flickr8k.json", json.dumps(KARPATHY))
        Image.new("RGB", (50, 40), "red").save(folder / "photo.jpg")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("SHOWTELL_CACHE", str(folder / "cache"))
            follow(ROOT / name, folder)
        return folder

    return run


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in FOLLOWED])
def test_a_page_can_be_followed(followed, name):
    assert followed(name).is_dir()  # each command and block is checked while it runs


@pytest.mark.parametrize("name", [pytest.param("docs/decoding.md", marks=pytest.mark.slow), "docs/compare.md"])
def test_what_a_page_does_with_tiny_and_a_photo_runs(name, tmp_path, monkeypatch):
    """Of pages whose other commands need runs that nobody has trained: their Python, and captions by `tiny`."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 40), "red").save("photo.jpg")
    captions = [c.words for page, c in ALL if page == ROOT / name and c.words[:2] == ["caption", "photo.jpg"]]
    for words in captions:
        if "--model" not in words:
            result = CliRunner().invoke(app, words, catch_exceptions=False)
            assert result.exit_code == 0, (words, result.output)
    python = [block.text for block in blocks(ROOT / name) if block.language == "python"]
    assert python
    for text in python:
        exec(compile(text, name, "exec"), {"__name__": "page"})


@pytest.mark.slow
def test_following_the_readme_leaves_what_it_promises(followed):
    folder = followed("README.md")
    assert json.loads((folder / "runs/b6/captions-test.json").read_text("utf-8")).keys() == {"5.jpg", "6.jpg"}
    assert (folder / "maps/photo.png").is_file() and (folder / "report.html").is_file()


@pytest.mark.slow
def test_following_the_other_pages_leaves_what_they_promise(followed):
    assert (followed("docs/recipes.md") / "runs/mine/model.safetensors").is_file()
    assert (followed("docs/tutorial.md") / "maps/test-00000.png").is_file()
    assert (followed("docs/tutorial.md") / "report.html").is_file()
    scores = json.loads((followed("docs/formats.md") / "scores.json").read_text("utf-8"))
    assert list(scores["scores"]) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr-D"]


def test_the_tutorial_shows_the_recipe_that_it_trains():
    shown = next(block.text for block in blocks(ROOT / "docs/tutorial.md") if "data: " in block.text)
    assert check(read_yaml(shown)) == check(load_recipe("scenes"))


def test_scores_have_the_form_that_the_page_shows(followed):
    (shown,) = [
        json.loads(block.text)
        for block in blocks(ROOT / "docs/formats.md")
        if block.language == "json" and '"per_image"' in block.text
    ]
    made = json.loads((followed("docs/formats.md") / "scores.json").read_text("utf-8"))
    assert shown.keys() == made.keys() and shown["per_image"].keys() == made["per_image"].keys()
    assert shown["scores"]["CIDEr-D"].keys() == made["scores"]["CIDEr-D"].keys()
    assert made["scores"]["CIDEr-D"]["signature"].startswith(shown["scores"]["CIDEr-D"]["signature"])


@pytest.mark.slow
def test_every_file_that_training_leaves_is_named(followed):
    page, folder = (ROOT / "docs/formats.md").read_text("utf-8"), followed("README.md")
    for path in [*folder.glob("runs/b6/**/*"), *folder.glob("cache/**/*")]:
        name = path.name.replace("-test.json", "-<split>.json")
        if path.parent.name == "cache":  # a version, and a digest
            name = re.split(r"\d+-", name)[0]
        name = {".raw": "`.raw`", ".npy": "memory-mapped"}.get(path.suffix, name)
        assert name in page, path
