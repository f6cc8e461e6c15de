"""docs/serve.md: its Python, and its curl commands, work against a server of `tiny`."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from showtell.loading import load, packaged_models
from showtell.serve.limits import Limits
from showtell.serve.model import Model
from tests.pages import ROOT, blocks
from tests.serve.running import encoded, photo, running

PAGE = ROOT / "docs/serve.md"
ADDRESS = "http://127.0.0.1:8000"
pytestmark = pytest.mark.skipif("tiny" not in packaged_models(), reason="the packaged model is not there")


@pytest.fixture(scope="module")
def client():
    with running(lambda: [Model("tiny", load("tiny"))], wait_ready=True) as client:
        yield client


@pytest.mark.slow
def test_the_python_of_the_page_runs(client, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(encoded(photo(0, (300, 200)), "JPEG"))
    names = {"__name__": "page"}
    for block in blocks(PAGE):
        if block.language == "python":
            code = block.text.replace(ADDRESS, str(client.base_url).rstrip("/"))
            exec(compile(code, "serve.md", "exec"), names)
    first, second = capsys.readouterr().out.splitlines()
    assert first and first == second


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_commands_of_the_page_run(client, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded(photo(0, (300, 200)), "JPEG"))
    shell = "".join(block.text for block in blocks(PAGE) if block.language == "bash")
    commands = [line for line in shell.splitlines() if line.startswith("curl ")]
    assert len(commands) == 2
    for line in commands:
        words = shlex.split(line.replace(ADDRESS, str(client.base_url).rstrip("/")))
        done = subprocess.run(
            [*words, "-s", "--noproxy", "*"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["captions"][0]["text"]


@pytest.mark.slow
def test_the_answer_has_the_form_that_the_page_shows(client):
    (shown,) = [json.loads(block.text) for block in blocks(PAGE) if block.language == "json"]
    given = client.post("/v1/caption", files={"file": encoded(photo(0, (300, 200)))}).json()
    assert list(shown) == list(given)
    assert list(shown["captions"][0]) == list(given["captions"][0])
    assert shown["captions"][0]["words"][0].keys() == given["captions"][0]["words"][0].keys()


def test_the_numbers_of_the_page_are_the_limits():
    text, limits = PAGE.read_text("utf-8"), Limits()
    assert f"over {limits.body // 1_000_000} MB, over {limits.photos} photos" in text
    assert f"over {limits.pixels // 1_000_000} million pixels" in text and f"within {limits.answer_time:g} s" in text
    assert f"over {limits.body_time:g} s" in text and f"up to {limits.batch}. " in text
    assert re.search(rf"takes {limits.queue} photos", text) and f"within {1000 * limits.wait:g} ms" in text
