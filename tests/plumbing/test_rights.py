"""Files that others must be able to read, users without a home, and pages that came in place of a model."""

import os
import stat

import pytest
import torch

from showtell import checkpoint
from showtell.plumbing import hub
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home, cache_folder


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_weights_have_the_rights_of_the_umask(tmp_path, umask, rights):
    before = os.umask(umask)
    try:
        checkpoint.write_tensors(tmp_path / "model.safetensors", {"a": torch.ones(2)})
        checkpoint.write_training(tmp_path, {"model": {"a": torch.ones(2)}}, {"step": 1})
    finally:
        os.umask(before)
    for path in (tmp_path / "model.safetensors", tmp_path / "last" / "model.safetensors"):
        assert stat.S_IMODE(path.stat().st_mode) == rights


def test_a_user_without_a_home_and_an_unknown_one_are_named(monkeypatch):
    with pytest.raises(InputError, match=r"data\.root is '~nobody-here/x'; there is no such user"):
        at_home("~nobody-here/x", "data.root")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what Python does without a home
    monkeypatch.delenv("SHOWTELL_CACHE", raising=False)
    with pytest.raises(InputError, match=r"SHOWTELL_CACHE is .*no home folder"):
        cache_folder()


def test_a_login_page_is_dropped_from_the_cache_and_a_model_is_not(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--a--b"
    (home / "blobs").mkdir(parents=True)
    (home / "snapshots" / "0").mkdir(parents=True)
    contents = {
        "config.json": b"\n<!DOCTYPE html>",
        "model.safetensors": b"<HTML>",
        "v.json": b"{}",
    }
    for name, content in contents.items():
        (home / "blobs" / f"1{name}").write_bytes(content)
        (home / "snapshots" / "0" / name).symlink_to(f"../../blobs/1{name}")
    assert hub.drop_pages() == 2
    assert [path.name for path in (home / "snapshots" / "0").iterdir()] == ["v.json"]
    assert [path.name for path in (home / "blobs").iterdir()] == ["1v.json"]
