"""Models of the Hub, from its local cache: the commit is found, kept in the run, and named in signatures."""

import shutil

import pytest
from rich.console import Console

import showtell
from showtell.checkpoint import read_recipe
from showtell.loading import folder_of
from showtell.plumbing.errors import InputError
from showtell.recipe.check import check
from showtell.settings.text import load_recipe
from showtell.training.loop import train
from tests.captioners.huggingface.tiny import folder
from tests.captioners.huggingface.used import DATA, paths, run_command

FIRST, SECOND = "a1" * 20, "b2" * 20


def put(cache, repository, commit, source, *, main=True):
    home = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(source, home / "snapshots" / commit)
    (home / "refs").mkdir(exist_ok=True)
    if main:
        (home / "refs/main").write_text(commit)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with two versions of you/blip, of which main is the second."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    put(tmp_path / "hub", "you/blip", FIRST, folder("blip"), main=False)
    put(tmp_path / "hub", "you/blip", SECOND, folder("git"))
    return tmp_path / "hub"


def test_a_name_of_the_hub_is_a_model(cache, tmp_path, monkeypatch):
    captioner = showtell.load("you/blip")
    assert f"model=you/blip@{SECOND[:12]}" in captioner.manner
    assert captioner.caption(paths(), max_length=5) == showtell.load(folder("git")).caption(paths(), max_length=5)
    assert showtell.load("hf:you/blip").manner == captioner.manner
    monkeypatch.chdir(tmp_path)
    (tmp_path / "you").mkdir()
    with pytest.raises(InputError, match="is no folder"):
        showtell.load("you/blip")
    assert showtell.load("hf:you/blip").manner == captioner.manner


@pytest.mark.slow
def test_a_run_keeps_the_commit(cache, tmp_path):
    recipe = check(load_recipe("huggingface", [*DATA, "captioner.model=you/blip"]))
    run = train(recipe, tmp_path / "run", console=Console(quiet=True))
    section = read_recipe(run)["captioner"]
    assert (section["model"], section["revision"]) == ("hf:you/blip", SECOND)
    train(recipe, run, resume=True, console=Console(quiet=True))
    before = showtell.load(run).caption(paths(), max_length=5)
    (cache / "models--you--blip/refs/main").write_text(FIRST)  # its owner uploads another version
    assert showtell.load(run).caption(paths(), max_length=5) == before
    assert showtell.load("you/blip").caption(paths(), max_length=5) != before


def test_a_revision_is_chosen(cache):
    recipe = {"captioner": {"name": "huggingface", "model": "you/blip", "revision": FIRST}}
    captioner = showtell.CAPTIONERS["huggingface"].open_model(check(recipe))
    assert captioner.loaded.kind == "blip" and FIRST[:12] in captioner.manner


def test_a_captioner_of_showtell_is_known_by_its_recipe(cache, frozen_run):
    put(cache, "you/ours", FIRST, frozen_run)
    assert showtell.load("you/ours").name == "neural"
    assert folder_of("you/ours").name == FIRST
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        folder_of("you/blip")


def test_what_is_not_in_the_cache_is_out_of_reach(cache, tmp_path):
    found = run_command("caption", str(paths()[0]), "--model", "them/blip")
    assert found.exit_code != 0 and "out of reach" in str(found.exception)
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(folder("blip") / "config.json", empty)
    put(cache, "you/half", FIRST, empty)
    with pytest.raises(InputError, match=r"you/half.*cannot be loaded") as wrong:
        showtell.load("you/half")
    print(wrong.value)
    assert "\n" not in str(wrong.value)
