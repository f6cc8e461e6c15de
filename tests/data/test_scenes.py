"""The embedded data set: the same for a seed, plain to see, held out as promised, whole or not there at all."""

import hashlib
import multiprocessing
from collections import Counter
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from showtell.data import DATA
from showtell.data.images import open_image
from showtell.data.scenes import draw as drawing
from showtell.data.scenes.scenes import read_scenes, scenes
from showtell.data.scenes.world import COLOURS, SHAPES, SIZES, combination, held_out, sample
from showtell.plumbing.errors import InputError, RecipeError

SMALL = {"images": 7, "val_images": 3, "test_images": 2}


def digest(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.iterdir()}


def test_records_have_pictures_five_captions_and_splits(tmp_path: Path) -> None:
    records = DATA["scenes"](root=tmp_path / "s", size=48, **SMALL)
    assert Counter(record.split for record in records) == {"train": 7, "val": 3, "test": 2}
    assert all(open_image(record.path).size == (48, 48) for record in records)
    assert all(len(set(record.references)) == 5 for record in records)
    assert [record.image_id for record in records[:2]] == ["train-00000.png", "train-00001.png"]


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in {"one": 4, "again": 4, "other": 5}.items():
        scenes(root=tmp_path / name, seed=seed, **SMALL)
    one, again, other = (digest(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again
    assert not set(one.values()) & set(other.values())


def test_more_images_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    scenes(root=tmp_path / "few", **SMALL)
    scenes(root=tmp_path / "more", **{**SMALL, "images": 9})
    few, more = digest(tmp_path / "few"), digest(tmp_path / "more")
    assert all(more[name] == few[name] for name in few if name.endswith(".png"))


@pytest.mark.slow
def test_train_has_no_held_out_combination_and_every_other_scene_has_one(tmp_path: Path) -> None:
    records = scenes(root=tmp_path / "s", images=900, val_images=60, test_images=60)
    truth = read_scenes(tmp_path / "s")
    of = {
        record.image_id: {
            combination(truth[record.image_id].things[0], thing) for thing in truth[record.image_id].things[1:]
        }
        for record in records
    }
    seen = set().union(*(of[record.image_id] for record in records if record.split == "train"))
    assert all(of[record.image_id] - seen for record in records if record.split != "train")
    assert len(seen) > 500


def test_a_combination_is_the_same_whichever_thing_is_named_first() -> None:
    one, other = sample(Random(1), unseen=False).things[:2]
    assert combination(one, other) == combination(other, one)


def test_every_word_is_frequent_in_training() -> None:
    things = [thing for seed in range(600) for thing in sample(Random(seed), unseen=False).things]
    for kinds, names in (
        (COLOURS, [thing.colour for thing in things]),
        (SHAPES, [thing.shape for thing in things]),
        (tuple(SIZES), [thing.size for thing in things]),
    ):
        counts = Counter(names)
        assert set(counts) == set(kinds)
        assert min(counts.values()) > 0.6 * len(things) / len(kinds)
    assert len({(thing.colour, thing.shape) for thing in things}) == 30


def test_relations_are_plain_to_see() -> None:
    relations: Counter[str] = Counter()
    for seed in range(400):
        scene = sample(Random(seed), unseen=seed % 2 == 0)
        assert len(scene.things) in (2, 3)
        assert len({(thing.colour, thing.shape) for thing in scene.things}) == len(scene.things)
        for thing in scene.things:
            assert 0 < thing.x - thing.extent / 2 < thing.x + thing.extent / 2 < 1
            assert 0 < thing.y - thing.extent / 2 < thing.y + thing.extent / 2 < 1
        for one, other in combinations(scene.things, 2):
            near, far = sorted((abs(one.x - other.x), abs(one.y - other.y)))
            assert far - (one.extent + other.extent) / 2 > 0.06
            assert near <= 0.101 or near >= 0.199
        hub = scene.things[0]
        for thing in scene.things[1:]:
            across, down = thing.x - hub.x, thing.y - hub.y
            assert min(abs(across), abs(down)) < 0.101
            side = ("left" if across < 0 else "right") if abs(across) > abs(down) else "above" if down < 0 else "below"
            relations[side] += 1
    assert set(relations) == {"left", "right", "above", "below"}
    assert min(relations.values()) > 0.18 * sum(relations.values())


@pytest.mark.parametrize("size", [32, 64, 200])
def test_the_picture_shows_each_thing_where_the_scene_says(size: int) -> None:
    for seed in range(30):
        scene = sample(Random(seed), unseen=False)
        picture = drawing.draw(scene, size)
        assert picture.size == (size, size)
        assert picture.getpixel((0, 0)) == scene.background
        for thing in scene.things:
            assert picture.getpixel((int(thing.x * size), int(thing.y * size))) == drawing.RGB[thing.colour]


def test_every_shape_fills_its_box_and_no_more() -> None:
    for outline in drawing.OUTLINES.values():
        for axis in (0, 1):
            ends = sorted(point[axis] for point in outline)
            assert max(-ends[0], ends[-1]) < 0.53
            assert ends[-1] - ends[0] > 0.85


def test_the_second_time_nothing_is_drawn(tmp_path: Path) -> None:
    first = scenes(root=tmp_path / "s", **SMALL)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()}
    assert scenes(root=tmp_path / "s", **SMALL) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()} == times


def test_the_default_folder_is_in_the_cache_one_for_each_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path))
    folders = {scenes(seed=seed, size=size, **SMALL)[0].path.parent for seed in (0, 1) for size in (32, 64)}
    assert len(folders) == 4
    assert {path.parent for path in folders} == {tmp_path}


def test_scenes_come_back_from_their_folder(tmp_path: Path) -> None:
    records = scenes(root=tmp_path / "s", seed=3, **SMALL)
    assert list(read_scenes(tmp_path / "s")) == [record.image_id for record in records]
    test = read_scenes(records[0].path.parent, "test")
    assert list(test) == ["test-00000.png", "test-00001.png"]
    assert test["test-00001.png"] == sample(Random("3 test 1"), unseen=True)
    assert all(held_out(scene) for scene in test.values())


def test_a_draw_that_is_cut_short_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def interrupted(*arguments: object) -> object:
        drawn.append(arguments)
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return drawing.draw(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(scenes.__globals__, "draw", interrupted)
        scenes(root=tmp_path / "s", **SMALL)
    assert list(tmp_path.iterdir()) == []
    assert len(scenes(root=tmp_path / "s", **SMALL)) == 12


def draw_in_a_process(root: Path, waiting: multiprocessing.Queue) -> None:
    waiting.put(len(scenes(root=root, images=60, val_images=0, test_images=0)))


@pytest.mark.slow
def test_several_processes_may_draw_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    counts: multiprocessing.Queue = context.Queue()
    processes = [context.Process(target=draw_in_a_process, args=(tmp_path / "s", counts)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [counts.get(timeout=60) for _ in processes] == [60, 60, 60]
    for process in processes:
        process.join()
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]


def test_a_folder_of_other_scenes_is_not_taken_for_these(tmp_path: Path) -> None:
    scenes(root=tmp_path / "s", **SMALL)
    with pytest.raises(InputError) as caught:
        scenes(root=tmp_path / "s", seed=1, **SMALL)
    assert str(caught.value).startswith(f"{tmp_path / 's'}: ") and "scenes of other settings" in str(caught.value)
    assert "data.root" in str(caught.value)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(InputError) as caught:
        scenes(root=tmp_path, **SMALL)
    assert str(caught.value).startswith(f"{tmp_path}: ") and "data.root to an empty folder" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        scenes(root=tmp_path / "file" / "a" / "s", **SMALL)
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'a' / 's'}: cannot be written (Not a directory); ")
    assert "SHOWTELL_CACHE or data.root" in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_broken_index_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "scenes.json").write_text(content)
    with pytest.raises(InputError, match=r"scenes\.json: not (JSON \(|written by 'scenes'; )"):
        scenes(root=tmp_path, **SMALL)
    with pytest.raises(InputError, match=r": it has no scenes\.json"):
        read_scenes(tmp_path / "elsewhere")


def test_settings_that_cannot_be_drawn_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^data\.images is 0; .* at least 1 "):
        scenes(root=tmp_path / "s", images=0)
    with pytest.raises(RecipeError, match=r"^data\.size is 8; .* at least 32 "):
        scenes(root=tmp_path / "s", size=8)
