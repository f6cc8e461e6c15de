"""POST /v1/chat/completions: the form that photo libraries speak, tried with OpenAI's own client."""

import base64
import json

import pytest

from showtell.serve.chat import read_messages
from tests.serve.running import encoded, photo, running, send, small_models


@pytest.fixture(scope="module")
def client():
    with running(lambda: small_models("one", "two"), wait_ready=True) as client:
        yield client


def url(content, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def message(*urls, text="Describe the photo."):
    images = [{"type": "image_url", "image_url": {"url": each}} for each in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *images]}


@pytest.fixture
def openai(client):
    library = pytest.importorskip("openai", reason="the client library openai is not installed")
    with library.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as own:
        yield own


def test_a_real_client_gets_the_caption(client, openai):
    answer = openai.chat.completions.create(model="two", messages=[message(url(encoded()))], temperature=0.2)
    assert answer.choices[0].message.content == send(client, encoded()).json()["captions"][0]["text"]
    assert answer.model == "two" and answer.choices[0].finish_reason == "stop"
    assert [model.id for model in openai.models.list()] == ["one", "two"]


def in_lines(data):
    return "\n".join(data[i : i + 76] for i in range(0, len(data), 76))


@pytest.mark.parametrize(
    "write", [in_lines, lambda data: data.rstrip("="), lambda data: data.translate({43: 45, 47: 95})]
)
def test_base64_is_read_as_clients_write_it(write):
    head, _, data = url(encoded()).partition(",")
    body = {"messages": [message(f"{head.upper()},{write(data)}")], "stream": "false"}
    _, ((_, file),), stream = read_messages(json.dumps(body).encode())
    assert file.getvalue() == encoded() and not stream


def test_a_real_client_may_stream(client, openai):
    stream = openai.chat.completions.create(model="one", messages=[message(url(encoded()))], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == send(client, encoded()).json()["captions"][0]["text"]


def test_a_real_client_reads_the_error(openai):
    from openai import UnprocessableEntityError

    with pytest.raises(UnprocessableEntityError, match="nothing is fetched"):
        openai.chat.completions.create(model="one", messages=[message("http://127.0.0.1:9/a.jpg")])


def test_several_images_are_several_lines(client):
    body = {"messages": [message(url(encoded(photo(1))), url(encoded(photo(2))))]}
    lines = client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"].split("\n")
    assert lines == [send(client, encoded(photo(seed))).json()["captions"][0]["text"] for seed in (1, 2)]


WRONG = {
    "no json": (b"{", "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "a list": (b"[]", "messages"),
    "no image": ({"messages": [message()]}, "no message has an image_url"),
    "only text": ({"messages": [{"role": "user", "content": "hello"}]}, "image_url"),
    "a link": ({"messages": [message("https://example.com/a.jpg")]}, "nothing is fetched"),
    "a path": ({"messages": [message("file:///etc/passwd")]}, "nothing is fetched"),
    "no base64": ({"messages": [message("data:image/png;base64,%%")]}, "not base64"),
    "plain data": ({"messages": [message("data:text/plain,hello")]}, "nothing is fetched"),
    "no photo": ({"messages": [message(url(b"<html>"))]}, "not an image"),
    "no such model": ({"model": "gpt", "messages": [message(url(encoded()))]}, "this server has one, two"),
    "no text": ({"model": 7, "messages": [message(url(encoded()))]}, "must be a text"),
    "url of a number": ({"messages": [message(7)]}, "nothing is fetched"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_clear_line_in_openais_form(client, case):
    body, word = WRONG[case]
    given = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = client.post("/v1/chat/completions", **given)
    assert answer.status_code in (415, 422)
    assert word in answer.json()["error"]["message"] and answer.json()["error"]["type"] == "invalid_request_error"


def test_a_body_over_the_limit_is_refused(client):
    assert client.post("/v1/chat/completions", content=bytes(10_000_001)).status_code == 413
