"""Which names are paths and which are Hub ids; what the Hub's cache has, and a Hub that cannot be asked."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from showtell.plumbing.errors import InputError
from showtell.plumbing.hub import hub_file, place_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with `models/blip` and `owner/` in it, and a home with `mine`."""
    for folder in ("work/models/blip", "work/owner", "work/both/name", "home/mine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "work/file.bin").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("Salesforce/blip-image-captioning-base", "Salesforce/blip-image-captioning-base"),
        ("hf:Salesforce/blip-image-captioning-base", "Salesforce/blip-image-captioning-base"),
        ("hf:models/blip", "models/blip"),  # although there is such a folder
        ("hf:owner/other", "owner/other"),
        ("hf:gpt2", "gpt2"),  # an old one, without owner
        ("Qwen/Qwen2.5-VL-3B_x", "Qwen/Qwen2.5-VL-3B_x"),
    ],
)
def test_a_hub_id(here, name, repository):
    assert place_of(name) == repository


@pytest.mark.parametrize("name", ["models/blip", "./models/blip", "models", "models/", "../work/models/blip", "."])
def test_a_folder_that_exists_wins_over_the_hub(here, name):
    assert place_of(name).resolve() == (here / name).resolve()
    assert place_of(here / name).resolve() == (here / name).resolve()


def test_home_is_resolved(here):
    assert place_of("~/mine") == here.parent / "home/mine"


@pytest.mark.parametrize(
    "name", ["./a/b", "../a", "/a/b", "~/a", "~a/b", "runs/a", "a/b/c", "a/b/", "/", "owner/name", "models/git"]
)
def test_a_path_without_a_folder_is_no_hub_id(here, name):
    if name == "/":
        assert place_of(name).is_dir()
        return
    with pytest.raises(InputError, match="is no folder") as wrong:
        place_of(name)
    assert wrong.value.key == name and "hf:OWNER/NAME" in str(wrong.value)


def test_a_single_word_is_a_packaged_model_or_a_typing_error(here):
    with pytest.raises(InputError) as wrong:
        place_of("tinny", ["tiny"])
    assert wrong.value.near == "tiny"
    with pytest.raises(InputError, match="empty"):
        place_of("")
    with pytest.raises(InputError, match=r"file\.bin is a file"):
        place_of("file.bin")


@pytest.mark.parametrize("name", ["hf:", "hf:a/b/c", "hf:a b/c", "hf:../x", "hf:a/..", "hf:~/x", "a b/c", "hf:ä/b"])
def test_what_no_repository_can_be_called(here, name):
    with pytest.raises(InputError, match="is no Hub id"):
        place_of(name)


def put(cache, repository, commit, **files):
    """A repository as huggingface_hub keeps it."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs/main").write_text(commit)
    (home / "snapshots" / commit).mkdir(parents=True)
    for name, text in files.items():
        (home / "snapshots" / commit / f"{name}.json").write_text(text)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_without_a_network_the_cache_answers(cache):
    put(cache, "you/blip", "c" * 40, config="{}")
    found = hub_file("you/blip", ["recipe.yaml", "config.json"])
    assert found.name == "config.json" and found.parent.name == "c" * 40
    assert hub_file("you/blip", ["config.json"], "c" * 40) == found


@pytest.mark.parametrize("revision", [None, "d" * 40])
def test_what_the_cache_lacks_is_out_of_reach_at_once(cache, revision):
    if revision:
        put(cache, "you/blip", "c" * 40, config="{}")
    with pytest.raises(InputError, match="out of reach") as wrong:
        hub_file("you/blip", ["config.json"], revision)
    assert wrong.value.key == "hf:you/blip"


class Nonsense(http.server.BaseHTTPRequestHandler):
    """A hotel's web page for every address; a 404 for `/missing`, a 401 for `/closed`, no HTTP for `/junk`."""

    def do_GET(self):
        if self.path.startswith("/junk"):
            self.wfile.write(b"\x00\x01 nonsense\r\n")
            return
        status = {"miss": 404, "clos": 401}.get(self.path[1:5], 200)
        page = b"<html>Welcome! Please log in.</html>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.mark.slow
def test_a_hub_that_answers_nonsense_is_one_line(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = """
from showtell.plumbing.errors import InputError
from showtell.loading import load
for name in ("hotel/page", "missing/model", "closed/model", "junk/model"):
    try:
        load(name)
    except InputError as error:
        print(error)
"""
    environment = {
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "NO_PROXY": "127.0.0.1",
        "HF_HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=100
    )
    server.shutdown()
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    names = ["hf:hotel/page", "hf:missing/model", "hf:closed/model", "hf:junk/model"]
    assert [line.split()[0] for line in lines] == names
    assert all("Hub" in line and len(line) < 500 for line in lines)
    assert "401" in lines[2] and "sensible" in lines[3]
