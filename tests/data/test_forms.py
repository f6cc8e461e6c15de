"""What each format has of its own: layouts as handed out, odd rows, options, and what auto takes for what."""

import json
from pathlib import Path

import pytest

from showtell.data import DATA, LeftOut, photos_beside
from showtell.plumbing.errors import InputError, RecipeError
from tests.data.sets import SOUND, Photo, found, put, write


def coco(*names: str, first: int = 0) -> str:
    images = [{"id": first + number, "file_name": name} for number, name in enumerate(names)]
    notes = [{"image_id": first + number, "caption": f"at {name}"} for number, name in enumerate(names)]
    return json.dumps({"images": images, "annotations": notes})


def test_taipeis_layout_is_cocos_with_folders_of_the_splits(tmp_path: Path) -> None:
    files = {"train.json": coco("a.jpg", "b.jpg"), "val.json": coco("a.jpg")}  # ids and names from the start again
    put(tmp_path, files, "images/train/a.jpg", "images/train/b.jpg", "images/val/a.jpg")
    records = DATA["auto"](root=tmp_path)
    assert [(r.image_id, r.split, r.path.relative_to(tmp_path).as_posix()) for r in records] == [
        ("0", "train", "images/train/a.jpg"),
        ("1", "train", "images/train/b.jpg"),
        ("0", "val", "images/val/a.jpg"),
    ]
    assert records.form == "coco: train.json, val.json"


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_of_cocos_two_years_the_one_with_photos_is_taken(tmp_path: Path, year: str) -> None:
    files = {f"annotations/captions_{s}{y}.json": coco(f"{s}{y}.jpg") for s in ("train", "val") for y in (2014, 2017)}
    put(tmp_path, files, f"train{year}/train{year}.jpg", f"val{year}/val{year}.jpg")
    assert DATA["coco"](root=tmp_path).form == f"coco: captions_train{year}.json, captions_val{year}.json"


def test_cocos_files_and_folders_can_be_named_by_split(tmp_path: Path) -> None:
    put(tmp_path, {"x_train.json": coco("a.jpg"), "x_dev.json": coco("b.jpg", first=5)}, "p-train/a.jpg", "p-dev/b.jpg")
    records = found(tmp_path, "coco", file="x_{split}.json", images="p-{split}")
    assert records == {"0": ("train", ("at a.jpg",)), "5": ("val", ("at b.jpg",))}


def test_cocos_odd_rows_are_left_out_each_for_its_reason(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.jpg"}]
    images += [{"id": 2, "file_name": "b.jpg"}, {"id": None, "file_name": "c.jpg"}, {"id": 3}, 7]
    notes = [{"image_id": "1", "caption": "one"}, {"image_id": 2, "caption": "two"}, {"image_id": 9, "caption": "nine"}]
    notes += [{"caption": "none"}, {"image_id": 1, "caption": ["no", "text"]}]
    put(tmp_path, {"captions.json": json.dumps({"images": images, "annotations": notes})}, "a.jpg", "b.jpg", "c.jpg")
    records = DATA["coco"](root=tmp_path, split="val")
    assert [(r.image_id, r.references, r.split) for r in records] == [("1", ("one",), "val")]
    assert {(each.name, each.reason) for each in records.left_out} == {
        ("captions.json annotation 4", "caption without photo"),
        ("captions.json image_id 9", "caption without photo"),
        ("captions.json image 1 caption 2", "caption that is not text"),
        ("captions.json image 5", "no id"),
        ("captions.json image 6", "no photo named"),
        ("captions.json image 7", "no photo named"),
        ("2", "one id for different photos"),
    }


def test_cocos_ids_may_be_written_as_floats(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2.0, "file_name": "b.jpg"}]
    notes = [{"image_id": 1.0, "caption": "one"}, {"image_id": 2, "caption": "two"}, {"image_id": 2.5, "caption": "no"}]
    put(tmp_path, {"captions.json": json.dumps({"images": images, "annotations": notes})}, "a.jpg", "b.jpg")
    records = DATA["coco"](root=tmp_path, split="val")
    assert [(r.image_id, r.references) for r in records] == [("1", ("one",)), ("2", ("two",))]
    assert [tuple(each) for each in records.left_out] == [("captions.json annotation 3", "caption without photo")]


def test_a_damaged_first_line_does_not_cost_the_numbered_captions_behind_it(tmp_path: Path) -> None:
    put(tmp_path, {"Flickr8k.token.txt": "damage\na.jpg#0\tA dog.\na.jpg#1\tA cat.\n"}, "a.jpg")
    records = DATA["flickr"](root=tmp_path, split="val")
    assert [r.references for r in records] == [("A dog.", "A cat.")]
    assert [tuple(each) for each in records.left_out] == [("Flickr8k.token.txt line 1", "no photo named")]


def test_berns_own_layout_is_recognised_with_its_examples(tmp_path: Path) -> None:
    head = "image_name,caption\n"
    files = {"train_captions.txt": head + "a.jpg,A dog\n", "val_captions.txt": head + "b.jpg,A cat, asleep\n"}
    files |= {"test_examples/captions.txt": head + "c.jpg,A bird\n", "vocabulary_captions.txt": head + "z.jpg,zebra\n"}
    put(tmp_path, files, "train_images/a.jpg", "val_images/b.jpg", "test_examples/c.jpg")
    assert found(tmp_path) == {
        "a.jpg": ("train", ("A dog",)),
        "b.jpg": ("val", ("A cat, asleep",)),
        "c.jpg": ("test", ("A bird",)),
    }


def test_photos_that_no_official_list_names_are_left_out(tmp_path: Path) -> None:
    tokens = "".join(f"{name}.jpg#0\tA {name}\n" for name in "abc") + "no tab\n"
    files = {"Flickr8k_text/Flickr8k.token.txt": tokens, "Flickr8k_text/Flickr_8k.trainImages.txt": "a.jpg\n"}
    files |= {"Flickr8k_text/Flickr_8k.testImages.txt": "b.jpg\r\nd.jpg\r\n"}
    put(tmp_path, files, *(f"Flicker8k_Dataset/{name}.jpg" for name in "abc"))
    records = DATA["auto"](root=tmp_path)
    assert found(tmp_path) == {"a.jpg": ("train", ("A a",)), "b.jpg": ("test", ("A b",))}
    assert list(records.left_out) == [
        LeftOut("c.jpg", "in no split list"),
        LeftOut("d.jpg", "no caption"),
        LeftOut("Flickr8k.token.txt line 4", "no photo named"),
    ]
    assert "split by Flickr_8k.trainImages.txt, Flickr_8k.testImages.txt" in records.form


def test_a_list_of_names_with_dots_names_no_other_photo(tmp_path: Path) -> None:
    """`22` is in the list, and `22.00` is another photo, not `22` with an ending."""
    files = {"Flickr8k.token.txt": "22.00#0\tA dog\n22#0\tA cat\n3.5.jpg#0\tA cow\n"}
    files |= {"Flickr_8k.trainImages.txt": "22\n3.5\n", "Flickr_8k.testImages.txt": "7.jpg\n"}
    put(tmp_path, files, *(f"Images/{name}.jpg" for name in ("22.00", "22", "3.5")))
    records = DATA["flickr"](root=tmp_path)
    assert {r.image_id: (r.path.name, r.split) for r in records} == {
        "22": ("22.jpg", "train"),
        "3.5.jpg": ("3.5.jpg", "train"),
    }
    assert LeftOut("22.00", "in no split list") in records.left_out


@pytest.mark.parametrize("form", ["csv", "folder"])
def test_names_without_an_ending_may_have_dots_and_must_mean_one_photo(form: str, tmp_path: Path) -> None:
    rows = "file_name,caption\n22,A dog\n22.00,A cat\n22.01,A cow\n1.5,A hen\n"
    photos = ("22.jpg", "22.00.jpg", "22.01.png", "22.01.jpg", "1.5.jpg", "1.jpg")
    put(tmp_path, {"metadata.csv" if form == "folder" else "captions.csv": rows}, *photos)
    records = DATA[form](root=tmp_path, split="train")
    assert {r.image_id: (r.path.name, r.references) for r in records} == {
        "22": ("22.jpg", ("A dog",)),
        "22.00": ("22.00.jpg", ("A cat",)),
        "1.5": ("1.5.jpg", ("A hen",)),
    }
    assert records.left_out == (LeftOut("22.01", "several photos of that name"),)


def test_flickr30ks_table_is_read_but_for_its_bad_row(tmp_path: Path) -> None:
    rows = ["image_name| comment_number| comment", "1.jpg| 0| Two men , one dog .", "1.jpg| 1| A dog ."]
    rows += ["2.jpg| 0| A cat .", "2.jpg| 4   A dog runs ."]  # as its row 2199200615.jpg lacks a bar
    put(tmp_path, {"results.csv": "\n".join(rows)}, "flickr30k_images/1.jpg", "flickr30k_images/2.jpg")
    records = DATA["auto"](root=tmp_path)
    assert {r.image_id: r.references for r in records} == {
        "1.jpg": ("Two men , one dog .", "A dog ."),
        "2.jpg": ("A cat .",),
    }
    assert records.left_out == (LeftOut("results.csv line 5", "empty caption"),)
    assert records.form.startswith("flickr: results.csv; ") and "10% for val and 10% for test" in records.form


def test_without_a_split_the_ids_alone_decide(tmp_path: Path) -> None:
    lines = [f"{number}.jpg,A dog {number}\n" for number in range(20)]
    photos = [f"images/{number}.jpg" for number in range(20)]
    first = found(put(tmp_path / "1", {"captions.txt": "image,caption\n" + "".join(lines)}, *photos))
    again = found(put(tmp_path / "2", {"captions.txt": "image,caption\n" + "".join(lines[::-1])}, *photos))
    assert first == again
    assert sorted(split for split, _ in first.values()) == ["test"] * 2 + ["train"] * 16 + ["val"] * 2
    most = found(tmp_path / "1", "flickr", val_share=0.5, test_share=0)
    assert [split for split, _ in most.values()].count("val") == 10
    assert {split for split, _ in found(tmp_path / "1", "flickr", split="test").values()} == {"test"}
    with pytest.raises(RecipeError, match=r"^data.val_share \+ data.test_share is 1; it takes a sum below 1"):
        found(tmp_path / "1", "flickr", val_share=0.5, test_share=0.5)


@pytest.mark.parametrize(
    "text",
    [
        ",filename,caption\n0,a.jpg,A dog. It runs.\n",
        "a.jpg,A dog. It runs.\n",
        "Image;Text;number\na.jpg;A dog. It runs.;3\n",
        "path\tdescription\na.jpg\tA dog. It runs.\n",
        '"file_name","caption"\r\n"a.jpg","A dog. It runs."\r\n',
        "caption,image\nA dog. It runs.,a.jpg\n",
        'image,captions\na.jpg,"[""A dog. It runs.""]"\n',
        "image_id,caption_1,caption_2\na,A dog. It runs.,\n",
        "image,caption\n/elsewhere/photos/a.jpg,A dog. It runs.\n",
        "image,caption\nC:\\photos\\a.jpg,A dog. It runs.\n",
        "photo|comment\na.jpg | A dog. It runs.\n",
    ],
)
def test_tables_are_read_as_people_write_them(text: str, tmp_path: Path) -> None:
    put(tmp_path, {"captions.csv": text}, "images/a.jpg")
    (record,) = DATA["csv"](root=tmp_path)
    assert (record.path, record.references) == (tmp_path / "images/a.jpg", ("A dog. It runs.",))


def test_commas_that_nobody_quoted_and_quotes_that_never_end_lose_no_row(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,A dog, running, far\nb.jpg,"A cat\nc.jpg,A bird\n'
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg", "c.jpg")
    captions = {name: references for name, (_, references) in found(tmp_path, "csv").items()}
    assert captions == {"a.jpg": ("A dog, running, far",), "b.jpg": ("A cat",), "c.jpg": ("A bird",)}


def test_columns_split_and_delimiter_can_be_named(tmp_path: Path) -> None:
    put(tmp_path, {"my.csv": "what~who~where\na.jpg~A dog~valid\nb.jpg~A cat~train\nb.jpg~x~never\n"}, "a.jpg", "b.jpg")
    options = {"photo_column": "what", "caption_column": "who", "split_column": "where", "delimiter": "~"}
    records = DATA["csv"](root=tmp_path, **options)
    assert [(r.image_id, r.split) for r in records] == [("a.jpg", "val"), ("b.jpg", "train")]
    assert records.left_out == (LeftOut("my.csv line 4", "unknown split"),)
    with pytest.raises(InputError, match=r"^data.photo_column is 'foto'; the columns of my.csv are what, who, where$"):
        DATA["csv"](root=tmp_path, **(options | {"photo_column": "foto"}))
    with pytest.raises(InputError, match=r"^my.csv: no column of photos or no column of captions .*\(what~who"):
        DATA["csv"](root=tmp_path)
    with pytest.raises(RecipeError, match=r"^data.delimiter is '::'; it takes one character"):
        DATA["csv"](root=tmp_path, delimiter="::")


def test_an_imagefolder_has_its_splits_in_folders(tmp_path: Path) -> None:
    line = '{"file_name": "a.jpg", "text": "A dog"}\n'
    files = {"train/metadata.jsonl": line + "no JSON\n", "validation/metadata.csv": "file_name,text\na.jpg,A cat\n"}
    put(tmp_path, files, "train/a.jpg", "validation/a.jpg", "test/a.jpg")
    records = DATA["auto"](root=tmp_path)
    assert found(tmp_path) == {"train/a.jpg": ("train", ("A dog",)), "validation/a.jpg": ("val", ("A cat",))}
    assert records.left_out == (LeftOut("metadata.jsonl line 2", "not JSON"),)
    assert records.form == "folder: train/metadata.jsonl, validation/metadata.csv"


@pytest.mark.parametrize(("stray", "letter"), [(b"\xe9", "é"), (b"\x81", " ")])
def test_a_stray_byte_costs_no_other_caption_its_letters(stray: bytes, letter: str, tmp_path: Path) -> None:
    put(tmp_path, {}, "собака.jpg", "b.jpg")
    rows = "filename,caption\nсобака.jpg,Бежит собака\nb.jpg,A caf".encode()
    (tmp_path / "train.csv").write_bytes(rows + stray + b" dog\n")
    assert found(tmp_path) == {
        "собака.jpg": ("train", ("Бежит собака",)),
        "b.jpg": ("train", (" ".join(f"A caf{letter} dog".split()),)),
    }
    form = DATA["auto"](root=tmp_path).form
    assert form.startswith("csv: train.csv, train.csv read as UTF-8, ") and form.endswith(" Windows-1252")


def test_a_truncated_utf_16_keeps_what_came_before(tmp_path: Path) -> None:
    put(tmp_path, {}, "a.jpg")
    (tmp_path / "train.csv").write_bytes("filename,caption\na.jpg,A dog\n".encode("utf-16")[:-1])
    assert found(tmp_path)["a.jpg"][1][0].startswith("A dog")


def test_of_several_forms_the_one_with_the_split_is_taken(tmp_path: Path) -> None:
    root = write("flickr", tmp_path / "set", SOUND)
    put(root, {"captions.txt": "image,caption\na.jpg,A dog\n"})
    assert DATA["auto"](root=root).form.startswith("flickr: Flickr8k.token.txt, split by")
    write("karpathy", root, SOUND)
    assert DATA["auto"](root=root).form == "karpathy: dataset_toy.json"


def test_photos_alone_are_a_folder_and_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is empty; .* no captions .* dataset_\*.json \(karpathy\); "):
        DATA["auto"](root=tmp_path)
    put(tmp_path, {"notes.md": "hello"})
    with pytest.raises(InputError, match=r"no photos in it .*; it has no captions either; .*train.csv \(csv\)"):
        DATA["auto"](root=tmp_path)
    put(tmp_path, {}, "a.jpg")
    assert DATA["auto"](root=tmp_path).form == "folder: bare photos"


def test_an_error_of_the_format_that_auto_chose_names_it(tmp_path: Path) -> None:
    put(tmp_path, {"dataset_a.json": "{}", "dataset_b.json": "{}"})
    with pytest.raises(InputError, match=r"choose one: .* \(read as karpathy; for its options .* data=NAME\)$"):
        DATA["auto"](root=tmp_path)


@pytest.mark.parametrize("content", ["[1, 2]", '{"a.jpg": "A cat"}', '{"images": 3}'])
@pytest.mark.parametrize("name", ["train.json", "captions.json", "annotations/val.json"])
def test_a_json_that_is_not_cocos_hides_no_other_form(name: str, content: str, tmp_path: Path) -> None:
    put(tmp_path, {name: content}, "a.jpg")
    assert DATA["auto"](root=tmp_path).form.startswith(f"folder: bare photos (not read: {name}; ")
    put(tmp_path, {"captions.csv": "image,caption\na.jpg,A dog\n"})
    assert found(tmp_path)["a.jpg"][1] == ("A dog",)
    with pytest.raises(InputError, match=r"json: it has no list 'images', .* COCO's"):
        DATA["coco"](root=tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        {"captions_train2017.json": "{}"},  # a name that only COCO has
        {"train.json": coco("a.jpg"), "val.json": "{}"},
        {"captions.json": '{"images": ['},
    ],
)
def test_a_damaged_file_of_cocos_is_an_error_not_another_form(files: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path, {**files, "captions.csv": "image,caption\na.jpg,A dog\n"}, "a.jpg")
    with pytest.raises(InputError, match=r" \(read as coco; .* data=NAME\)$"):
        DATA["auto"](root=tmp_path)


def test_of_cocos_files_an_empty_one_is_a_split_without_photos(tmp_path: Path) -> None:
    put(tmp_path, {"train.json": coco("a.jpg"), "val.json": ""}, "a.jpg")
    assert found(tmp_path) == {"0": ("train", ("at a.jpg",))}
    assert DATA["auto"](root=tmp_path).form == "coco: train.json, val.json, val.json is empty"


def test_what_a_set_was_taken_for_is_said_once(tmp_path: Path) -> None:
    put(tmp_path, {"captions.csv": "image,caption\na.jpg,\n"}, "a.jpg")
    with pytest.raises(InputError) as caught:
        DATA["auto"](root=tmp_path)
    assert str(caught.value).count("read as csv") == 1
    assert str(caught.value).endswith(" data=NAME)")


def test_links_in_a_circle_are_no_folder_to_join(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(InputError, match=r"^data.root is '.*circle'; it takes a folder that exists$"):
        DATA["join"](sets=(tmp_path / "circle",))


@pytest.mark.parametrize("each", ["~no-such-user/x", {"name": "csv", "root": "~no-such-user/x"}])
def test_a_home_of_nobody_is_no_folder_to_join(each: str | dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"^data.root is '~no-such-user/x'; there is no such user$"):
        DATA["join"](sets=(each,))


def test_joined_sets_keep_their_ids_apart(tmp_path: Path) -> None:
    one = write("karpathy", tmp_path / "x/same", SOUND)
    two = write("csv", tmp_path / "y/same", SOUND, missing=["b.jpg"])
    records = DATA["join"](sets=(one, {"name": "csv", "root": str(two), "sentences": "first"}))
    assert [r.image_id for r in records] == [f"same/{p.name}" for p in SOUND] + [
        "same-2/a.jpg",
        "same-2/c.jpg",
        "same-2/d.jpg",
    ]
    assert records.left_out == (LeftOut("same-2/b.jpg", "no such photo"),)
    assert records.form.startswith("join: same (karpathy: dataset_toy.json), same-2 (csv: train.csv, val.csv, test.csv")
    with pytest.raises(RecipeError, match=r"^data.sets is empty"):
        DATA["join"](sets=())


def test_photos_beside_the_records_are_found(tmp_path: Path) -> None:
    root = write("karpathy", tmp_path / "set", SOUND)
    put(root, {"images/notes.txt": ""}, "images/alone.jpg")
    assert photos_beside(DATA["karpathy"](root=root)) == [root / "images/alone.jpg"]


def test_one_id_for_different_photos_leaves_out_all_of_them(tmp_path: Path) -> None:
    lines = [{"file_name": name, "text": "A dog"} for name in ("a.jpg", "b.jpg")]
    put(tmp_path, {"metadata.jsonl": "\n".join(map(json.dumps, lines))}, "a.jpg", "b.jpg")
    assert len(DATA["folder"](root=tmp_path, split="train")) == 2  # there a photo is its own id
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    notes = [{"image_id": number, "caption": "A dog"} for number in (1, 2)]
    put(tmp_path, {"captions.json": json.dumps({"images": images, "annotations": notes})})
    records = DATA["coco"](root=tmp_path)
    assert [r.image_id for r in records] == ["2"] and records.left_out == (LeftOut("1", "one id for different photos"),)


def test_a_name_in_composed_letters_finds_a_file_in_decomposed_ones(tmp_path: Path) -> None:
    photos = [Photo("Caf\u00e9.jpg", "train", ("A cup",)), Photo("b.jpg", "train", ("A dog",))]
    root = write("karpathy", tmp_path / "set", photos)
    (root / "images/Caf\u00e9.jpg").rename(root / "images/Cafe\u0301.jpg")
    assert len(DATA["karpathy"](root=root)) == 2
