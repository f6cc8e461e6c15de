"""Many clients at once: every good photo is answered right, every bad one is refused, and nothing is lost."""

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from showtell.explain.spoken import speak
from tests.serve.running import bomb, encoded, photo, running, send, small_models

HOSTILE = {
    "truncated": (encoded(form="JPEG")[:700], 422),
    "bomb": (bomb(), 413),
    "zip": (b"PK\x03\x04" + bytes(100), 415),
    "html": (b"<html>", 415),
    "large": (bytes(10_500_000), 413),
}


def slow_body(address, seconds):
    """Send the head of a request and then a byte now and then; returns the answer's first line."""
    with socket.create_connection(address, timeout=30) as line:
        line.sendall(b"POST /v1/caption HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\n")
        line.sendall(
            b"content-length: 5000\r\n\r\n--x\r\ncontent-disposition: form-data; name=file; filename=a.jpg\r\n\r\n"
        )
        for _ in range(int(seconds * 20)):
            try:
                line.sendall(b"-")
            except OSError:
                break
            time.sleep(0.05)
        return line.recv(1000).split(b"\r\n")[0]


def address_of(client):
    return client.base_url.host, client.base_url.port


@pytest.mark.slow
def test_32_clients_with_good_and_bad_files():
    names = [*HOSTILE]
    contents = [encoded(photo(seed)) for seed in range(6)]
    (model,) = small_models()
    wanted = [caption.text for caption in model.captioner.caption([photo(seed) for seed in range(6)])]
    seen = Counter()

    def client_of(number):
        with httpx.Client(base_url=client.base_url, timeout=60, trust_env=False) as own:
            for turn in range(3):
                if (number + turn) % 2:
                    seed = (number + turn) % 6
                    answer = send(own, contents[seed])
                    while answer.status_code == 503:
                        time.sleep(0.1)
                        answer = send(own, contents[seed])
                    assert answer.status_code == 200, answer.text
                    assert answer.json()["captions"][0]["text"] == wanted[seed]
                    seen["good"] += 1
                else:
                    content, status = HOSTILE[names[number // 2 % len(names)]]
                    assert send(own, content).status_code == status
                    seen["bad"] += 1

    with running(body_time=2.0) as client, ThreadPoolExecutor(33) as pool:
        slow = pool.submit(slow_body, address_of(client), 2.5)
        list(pool.map(client_of, range(32)))
        assert b" 408 " in slow.result()
        desk = client.desk
        assert seen == {"good": 48, "bad": 48}
        assert desk.batchers["small"].length == 0 and desk.room.left == desk.limits.decoded
        assert desk.metrics.total("batches") < desk.metrics.total("photos")  # some were captioned together


@pytest.fixture
def held(monkeypatch):
    """A model that answers only after `held.set()`; `held.begun` says that it works."""
    event, event_begun = threading.Event(), threading.Event()

    def wait(captioner, images, maps=False):
        event_begun.set()
        event.wait(10)
        return speak(captioner, images, maps)

    monkeypatch.setattr("showtell.serve.model.speak", wait)
    event.begun = event_begun
    yield event
    event.set()


@pytest.mark.slow
def test_a_full_queue_is_503_with_the_time_to_come_again(held):
    with running(queue=3, batch=1) as client, ThreadPoolExecutor(8) as pool:
        first = pool.submit(send, client, encoded())
        held.begun.wait(10)
        waiting = pool.submit(send, client, *[encoded()] * 3)
        until(lambda: client.desk.batchers["small"].length == 3)
        refused = send(client, encoded())
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        held.set()
        assert first.result().status_code == 200 and len(waiting.result().json()["captions"]) == 3


def test_one_connection_too_many_is_503_with_the_time_to_come_again(monkeypatch):
    monkeypatch.setattr("showtell.serve.run.CONNECTIONS", 2)
    with running() as client, socket.create_connection(address_of(client)):
        assert client.get("/healthz").status_code == 200
        with httpx.Client(base_url=client.base_url, trust_env=False) as third:
            refused = third.get("/healthz")
            assert refused.status_code == 503 and refused.headers["retry-after"] == "2"
            assert "too many connections" in refused.json()["error"]
        assert client.get("/healthz").status_code == 200


def test_a_late_answer_is_504_and_its_photo_is_skipped(held):
    with running(answer_time=0.2, batch=1) as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, client, encoded())
        held.begun.wait(10)
        assert send(client, encoded()).status_code == 504 and first.result().status_code == 504
        held.set()
        until(lambda: client.desk.metrics.total("skipped") == 1)
        assert client.desk.metrics.total("photos") == 1


def test_a_client_that_left_is_skipped(held):
    with running(batch=1) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, client, encoded())
        held.begun.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{client.base_url}/v1/caption", files={"file": encoded()}, timeout=0.3, trust_env=False)
        until(lambda: client.desk.batchers["small"].length == 0 or client.desk.batchers["small"].jobs[0].result.done())
        held.set()
        assert first.result().status_code == 200
        until(lambda: client.desk.metrics.total("skipped") == 1)


def test_a_batch_is_stopped_when_nobody_waits_for_it(monkeypatch):
    steps = []
    with running(answer_time=0.5) as client:
        decoder = client.desk.models["small"].captioner.decoder
        decoder.register_forward_pre_hook(lambda *_: (steps.append(1), time.sleep(0.2)))
        asked = {"decode_min_length": "24", "decode_max_length": "25"}
        assert send(client, encoded(), encoded(), **asked).status_code == 504
        until(lambda: client.desk.batchers["small"].working == () and client.desk.metrics.total("batches") == 1)
        assert len(steps) < 10


def test_shutdown_answers_what_was_begun(held):
    with ThreadPoolExecutor(1) as pool:
        with running() as client:
            answer = pool.submit(
                httpx.post, f"{client.base_url}/v1/caption", files={"file": encoded()}, trust_env=False
            )
            held.begun.wait(10)
            threading.Timer(0.3, held.set).start()
        assert answer.result().status_code == 200


@pytest.mark.parametrize("begin", [b"", b"POST /v1/caption HTTP/1.1\r\nhost: a\r\n"])
def test_a_connection_without_a_request_is_closed(monkeypatch, begin):
    monkeypatch.setattr("showtell.serve.run.Patient.head_time", 0.3)
    with running() as client, socket.create_connection(address_of(client), timeout=10) as line:
        line.sendall(begin)
        assert line.recv(100) == b""
        assert send(client, encoded()).status_code == 200


@pytest.mark.parametrize("next_one", [b"G", b"GET /healthz HTTP/1.1\r\nhost: a\r\n"])
def test_a_connection_that_falls_silent_after_an_answer_is_closed(monkeypatch, next_one):
    monkeypatch.setattr("showtell.serve.run.Patient.head_time", 0.3)
    with running() as client, socket.create_connection(address_of(client), timeout=10) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = b""
        while b'"ok"' not in answer:
            answer += line.recv(2000)
        line.sendall(next_one)
        assert line.recv(100) == b""
        assert client.head("/healthz").status_code == client.head("/readyz").status_code == 200


def test_until_the_model_is_loaded_the_server_is_not_ready():
    go = threading.Event()

    def load():
        go.wait(10)
        return small_models()

    with running(load) as client:
        until(lambda: client.get("/healthz").status_code == 200)
        for answer in (client.get("/readyz"), send(client, encoded())):
            assert answer.status_code == 503 and "retry-after" in answer.headers
        go.set()
        until(lambda: client.get("/readyz").status_code == 200)


def test_a_model_that_fails_answers_500_and_lives_on(monkeypatch):
    with running() as client:
        monkeypatch.setattr("showtell.serve.model.speak", lambda *_: 1 / 0)
        answer = send(client, encoded())
        assert answer.status_code == 500 and "division" not in answer.text
        monkeypatch.setattr("showtell.serve.model.speak", speak)
        assert send(client, encoded()).status_code == 200


def until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
