"""Recipes as text: what YAML means here, how overrides change sections, what is said of a mistake."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.settings.text import load_recipe, override, packaged_recipes, read_yaml

PACKAGED = ", ".join(packaged_recipes())
RECIPE = {"encoder": {"name": "timm", "model": "resnet101", "grid_size": 14}, "train": {"lr": 0.1}}


def refused(told):
    return pytest.raises(RecipeError, match=f"^{re.escape(told)}$")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4e-4", 4e-4),
        ("1e3", 1000.0),
        ("1.5E+2", 150.0),
        ("-2.e-1", -0.2),
        ("0.7", 0.7),
        ("12", 12),
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("2024-05-01", "2024-05-01"),
        ("2024-13-45", "2024-13-45"),
        ("[1, 2e-1]", [1, 0.2]),
        ("e5", "e5"),
        ("4e", "4e"),
    ],
)
def test_yaml_means_what_people_mean(text, value):
    found = read_yaml(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.slow
@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text("of4e-+.:~1 _#[{'", max_size=6)
)
@settings(deadline=None)
def test_what_yaml_wrote_is_read_back(value):
    assert read_yaml(yaml.safe_dump({"key": value}, allow_unicode=True)) == {"key": value}


def test_ordinary_yaml_loading_is_left_alone():
    assert yaml.safe_load("[off, 4e-4]") == [False, "4e-4"]


def test_an_override_changes_one_key():
    assert override(RECIPE, ["encoder.grid_size=7"])["encoder"] == RECIPE["encoder"] | {"grid_size": 7}
    assert override(RECIPE, ["train.lr=4e-4"])["train"] == {"lr": 4e-4}
    assert override(RECIPE, ["data.root=photos"])["data"] == {"root": "photos"}


def test_the_last_of_two_overrides_holds():
    assert override(RECIPE, ["train.lr=1", "train.lr=2"])["train"] == {"lr": 2}


def test_overriding_leaves_the_recipe_as_it_was():
    before = {section: dict(values) for section, values in RECIPE.items()}
    override(RECIPE, ["encoder=lite", "train.lr=1"])
    assert before == RECIPE


@pytest.mark.parametrize("chosen", ["encoder=lite", "encoder.name=lite"])
def test_another_part_drops_the_other_keys_of_its_section_alone(chosen):
    assert override(RECIPE, [chosen]) == RECIPE | {"encoder": {"name": "lite"}}


@pytest.mark.parametrize(
    "overrides",
    [["encoder=lite", "encoder.image_size=160"], ["encoder.image_size=160", "encoder=lite"]],
    ids=["part first", "part last"],
)
def test_keys_of_the_command_line_stay_in_any_order(overrides):
    assert override(RECIPE, overrides)["encoder"] == {"name": "lite", "image_size": 160}


def test_the_same_part_keeps_its_keys():
    assert override(RECIPE, ["encoder=timm"]) == RECIPE


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("data.root=a=b", "a=b"),
        ("data.root=C: drive", "C: drive"),
        ("data.root=Image Caption:", "Image Caption:"),
        ("data.root=[1, 2", "[1, 2"),
        ("data.root=0x_", "0x_"),
        ("data.root={a: 1}", {"a": 1}),
        ("data.root=", None),
        ("data.root=~/photos", "~/photos"),
    ],
)
def test_a_value_is_yaml_or_else_the_text_itself(written, value):
    assert override({}, [written]) == {"data": {"root": value}}


@pytest.mark.parametrize("written", ["epochs", "=3", "a.b.c=3", ".lr=3", ""])
def test_what_is_not_an_override_is_said(written):
    with refused(f"{written!r} is not an override; it takes section.key=value, such as train.epochs=10"):
        override(RECIPE, [written])


@pytest.mark.slow
@given(st.text())
@settings(deadline=None, max_examples=300)
def test_any_text_is_an_override_or_refused(text):
    for written in (text, f"train.lr={text}"):
        try:
            assert override(RECIPE, [written])
        except RecipeError as error:
            assert "is not an override" in str(error)


def test_a_packaged_recipe_is_found_by_name_and_another_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("encoder: lite\ntrain: {lr: 4e-4}\n")
    assert load_recipe(str(path), ["train.epochs=3"]) == {
        "encoder": {"name": "lite"},
        "train": {"lr": 4e-4, "epochs": 3},
    }
    assert load_recipe("bern-6")["decoder"]["name"] == "transformer"


def test_an_unknown_recipe_gets_the_nearest_name():
    with pytest.raises(RecipeError, match="there is no recipe 'bern6'") as caught:
        load_recipe("bern6")
    assert (caught.value.value, caught.value.near) == ("bern6", "bern-6")


def test_an_unknown_recipe_that_is_near_to_none_gets_the_list():
    with refused(f"there is no recipe 'x.yaml'; packaged are {PACKAGED}; or give the path of a YAML file"):
        load_recipe("x.yaml")


def test_what_is_not_yaml_is_said_with_its_place(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("encoder: {name: lite\n")
    with pytest.raises(RecipeError, match=f"^{re.escape(str(path))} is not YAML: line 2: expected ',' or '}}', but"):
        load_recipe(str(path))


def test_a_photo_is_not_a_recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeError, match=f"^{re.escape(str(path))} is no text in UTF-8: byte 0 is 0xff"):
        load_recipe(str(path))


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]", "train: 3", "train:"])
def test_yaml_that_is_no_recipe_is_said(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with refused(f"{path} is not a recipe; it takes sections such as `encoder: {{name: lite}}`"):
        load_recipe(str(path))


def test_nearest_is_the_allowed_word_as_it_is_written():
    assert nearest("cider", ["loss", "BLEU-4", "CIDEr-D"]) == "CIDEr-D"
    assert nearest("xyz", ["loss", "BLEU-4"]) is None


ALIASES = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
ALIASES += [
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join([*ALIASES, "encoder: {name: *i}"]),
        "encoder: &a {name: *a}",
        "encoder: &a {<<: *a}",
        "encoder: {name: " + "[" * 5000 + "]" * 5000 + "}",
        "train: {seed: " + "9" * 5000 + "}",
        "train: {seed: 0x" + "f" * 5000 + "}",
        'encoder: {name: "\\ud83d"}',
    ],
    ids=["copies", "itself", "merged", "deep", "digits", "hex", "half"],
)
def test_a_recipe_is_bounded_however_it_is_written(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RecipeError, match="is not YAML"):
        load_recipe(str(tmp_path / "mine.yaml"))


def test_an_alias_is_a_copy():
    assert read_yaml("a: &a [1, 2]\nb: [*a, *a]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
