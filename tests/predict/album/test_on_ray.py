"""`--engine ray`: the rows that one process makes, also if an actor is killed on the way."""

import os
import signal
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from showtell.plumbing.errors import InputError
from showtell.predict.album.on_ray import engine
from showtell.predict.album.plan import Plan
from showtell.predict.album.run import Asked, caption_album
from showtell.predict.album.sources import Source
from tests.predict.album.test_album import Shades, written

pytestmark = pytest.mark.slow


class Mortal(Shades):
    """Its process is killed once, in the middle of a part."""

    def __init__(self, marker: Path):
        super().__init__()
        self.marker = marker

    def caption(self, images, **decode):
        if self.seen >= 6 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().caption(images)


class Refusing(Shades):
    def caption(self, images, **decode):
        raise InputError("no photo is good enough", key="refusing")


def mortal(marker):
    return Mortal(marker)


def ports():
    """Free ports for a raylet's helpers. It then does not wait for them, which a busy machine starts slowly."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}


@pytest.fixture(scope="module")
def cluster():
    """Two raylets with one core each, on this machine."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **ports()})
    made.add_node(num_cpus=1, **ports())
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), str(root / "tests")])  # pytest calls this file predict.album.test_on_ray
    ray.init(made.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    yield made
    ray.shutdown()
    made.shutdown()


def test_an_actor_that_is_killed_costs_no_row(tmp_path, cluster, monkeypatch):
    album = tmp_path / "album"
    album.mkdir()
    for number in range(24):
        Image.new("RGB", (8, 6), (number * 10,) * 3).save(album / f"{number:02}.png")
    (album / "bad.png").write_bytes(b"nothing")
    monkeypatch.setattr(Plan.extend, "__defaults__", (5,))
    monkeypatch.setattr("showtell.predict.album.run.part_size", lambda photos, shards: 5)
    source = Source([album])
    caption_album(Shades(), "shades", source, Asked(tmp_path / "one"))
    on_ray = engine(partial(mortal, tmp_path / "killed"))
    report = caption_album(Shades(), "shades", source, Asked(tmp_path / "many"), engine=on_ray)
    assert (tmp_path / "killed").exists() and report.failures == 1
    assert written(tmp_path / "many") == written(tmp_path / "one") and len(written(tmp_path / "one")) == 5
    with pytest.raises(InputError, match="no photo is good enough"):
        caption_album(Shades(), "shades", source, Asked(tmp_path / "no"), engine=engine(Refusing))
