"""What the pages say of the project is so: its tree, its options, its tests, its links, its example."""

import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml

import showtell
from showtell.encoders import ENCODERS
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.recipe.tables import FIXED, PARTS
from showtell.settings.text import load_recipe, packaged_recipes, read_yaml
from showtell.training.loop import train
from tests.encoders import test_every_encoder as contract
from tests.pages import PAGES, ROOT, blocks
from tests.test_rooms import ROOMS

README, RECIPES = ROOT / "README.md", ROOT / "docs/recipes.md"
# Nothing of the machine that a file was written on, and no place that packages come from, may stand in it.
MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|mnt|Users)/\w+")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|deb\.debian\.org|download\.pytorch\.org|-index[-]url"
)


def files():
    """What git keeps."""
    found = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("not a git checkout")
    return [path for path in map(Path, found.stdout.splitlines()) if (ROOT / path).is_file()]


def tree():
    """The names in README's tree: (of the package, beside it)."""
    (drawn,) = [block.text for block in blocks(README) if block.text.startswith("showtell/\n")]
    lines = drawn.splitlines()[1:]
    inside = [line.split()[0].rstrip("/") for line in lines if line.startswith("  ")]
    return inside, [line.split()[0].rstrip("/") for line in lines if not line.startswith("  ")]


def test_the_readmes_tree_is_the_one_on_disk():
    inside, beside = tree()
    kept = files()
    package = {path.parts[1] for path in kept if path.parts[0] == "showtell"} - {"py.typed"}
    assert sorted(inside) == sorted(package)
    assert sorted(beside) == sorted(
        {path.parts[0] for path in kept if len(path.parts) > 1 and path.parts[0][0] != "."} - {"showtell"}
    )


def test_the_readmes_tree_stands_in_the_order_of_the_data():
    inside, _ = tree()
    rooms = [name.removesuffix(".py") for name in inside]
    assert [room for room in rooms if room in ROOMS] == [room for room in ROOMS if room in rooms]


def test_the_readme_lists_every_recipe():
    listed = re.findall(r"^\| `([\w-]+)` \|", README.read_text("utf-8"), re.MULTILINE)
    assert sorted(set(listed)) == sorted(packaged_recipes())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["machine paths", "registry hosts"])
def test_no_file_knows_where_it_was_written(pattern):
    for path in files():
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:  # a picture, or weights
            continue
        found = pattern.findall(text)
        assert not found, f"{path}: {found}"


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    (latest, date), *_ = re.findall(
        r"^## \[([\d.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert citation["version"] == latest == showtell.__version__
    assert f'version = "{latest}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert str(citation["date-released"]) == date


def option_tables():
    """{(section, part): [(option, default as written)]} of docs/recipes.md; sections without parts have part None."""
    found, section, part = {}, "", None
    for line in RECIPES.read_text("utf-8").splitlines():
        if heading := re.match(r"^(##+) `(\w+)`", line):
            section, part = (heading[2], None) if heading[1] == "##" else (section, heading[2])
        elif row := re.match(r"^\| `(\w+)` \| .+? \| (.+?) \| .*\|$", line):
            found.setdefault((section, part), []).append((row[1], row[2].strip("`")))
    return found


PARTS_AND_SETTINGS = {(section, name): part for section, table in PARTS.items() for name, part in table.items()}
for part in (("regions", "none"), ("peft", "all")):  # have no options of their own
    PARTS_AND_SETTINGS.pop(part)
PARTS_AND_SETTINGS |= {(section, None): settings for section, settings in FIXED.items()}


def test_every_part_has_its_table_of_options():
    assert sorted(option_tables(), key=str) == sorted(PARTS_AND_SETTINGS, key=str)


@pytest.mark.parametrize("key", PARTS_AND_SETTINGS, ids=lambda key: "-".join(filter(None, key)))
def test_a_table_of_options_is_the_parts_signature(key):
    wanted = []
    for parameter in inspect.signature(PARTS_AND_SETTINGS[key]).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            default = "must be given" if parameter.default is parameter.empty else parameter.default
            wanted.append((parameter.name, list(default) if isinstance(default, tuple) else default))
    assert [(name, read_yaml(default)) for name, default in option_tables()[key]] == wanted


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_pages_use_only_the_public_doors(page):
    """CONTRIBUTING.md shows a file of the package itself."""
    for block in blocks(page):
        if block.language == "python":
            assert not re.search(r"\b(from|import) showtell\.", block.text), block.text


def test_every_recipe_on_a_page_is_right():
    recipes = [block.text for page in PAGES for block in blocks(page) if block.language == "yaml"]
    assert recipes
    for text in recipes:
        check(read_yaml(text))


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/correctness.md").read_text("utf-8"))
    assert len(named) > 20
    for path, test in named:
        assert re.search(rf"^def {test}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), f"{path}::{test}"


@pytest.fixture
def patches(monkeypatch):
    """The encoder of CONTRIBUTING.md, at home in the table."""
    (text,) = [block.text for block in blocks(ROOT / "CONTRIBUTING.md") if block.language == "python"]
    module = types.ModuleType("patches")
    monkeypatch.setitem(sys.modules, "patches", module)  # its annotations are looked up there
    exec(compile(text, "patches.py", "exec"), module.__dict__)
    monkeypatch.setitem(ENCODERS, "patches", module.Patches)
    return module.Patches


@pytest.mark.parametrize(
    "promise",
    [test for name, test in vars(contract).items() if name.startswith("test_")],
    ids=lambda test: test.__name__,
)
def test_the_contributors_encoder_keeps_the_contract(patches, promise):
    if list(inspect.signature(promise).parameters) == ["encoder"]:
        promise(patches())


@pytest.mark.slow
def test_the_contributors_encoder_works_in_a_recipe(patches, tmp_path):
    few = ["data.images=20", "data.val_images=2", "data.test_images=0", "train.max_steps=2", "tokenizer.min_count=1"]
    recipe = check(load_recipe("scenes", ["encoder=patches", *few]))
    captioner = showtell.load(train(recipe, tmp_path / "run"))
    assert captioner.caption([build(recipe, "data")[0].path])[0].tokens
