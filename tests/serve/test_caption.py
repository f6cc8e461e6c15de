"""POST /v1/caption: right answers, clear refusals, and nothing that a client can make the server open."""

import io
import json
import math
import re
import zipfile

import pytest
from PIL import Image

from tests.serve.running import bomb, encoded, photo, running, send, small_models


@pytest.fixture(scope="module")
def client():
    with running() as client:
        yield client


def test_an_answer_is_what_the_captioner_says(client):
    answer = send(client, encoded()).json()
    (model,) = small_models()
    (caption,) = model.captioner.caption([photo()])
    (given,) = answer["captions"]
    assert given["text"] == caption.text and given["log_prob"] == pytest.approx(caption.log_prob, abs=1e-3)
    assert " ".join(word["word"] for word in given["words"]) == caption.text
    assert given["log_prob"] <= sum(word["log_prob"] for word in given["words"]) <= 0
    assert 0 < len(given["alternatives"]) < 3 and caption.text not in {each["text"] for each in given["alternatives"]}
    assert answer["model"] == "small" and "beam(num_beams=3" in answer["signature"] and answer["ms"] >= 0
    assert "map" not in given["words"][0] and "boxes" not in given


def test_several_photos_are_answered_in_their_order(client):
    contents = [encoded(photo(seed)) for seed in range(4)]
    together = send(client, *contents).json()["captions"]
    alone = [send(client, content).json()["captions"][0] for content in contents]
    assert [each["text"] for each in together] == [each["text"] for each in alone]


def test_maps_are_those_of_explain(client):
    from showtell.explain.explain import explain

    (given,) = send(client, encoded(), maps="true").json()["captions"]
    found = explain(small_models()[0].captioner, photo(), how="attention", share=None)
    assert len(given["boxes"]) == 16 and [word["word"] for word in given["words"]] == found.words
    for word, looked in zip(given["words"], found.maps, strict=True):
        assert word["map"] == pytest.approx(looked.tolist(), abs=1e-3)


def test_options_are_those_of_the_command_line(client):
    greedy = send(client, encoded(), decode="greedy", decode_max_length="6", decode_min_length="5").json()
    assert "greedy(max_length=6" in greedy["signature"] and greedy["captions"][0]["alternatives"] == []
    said = send(client, encoded(), decode_must=["heart", "blue"]).json()["captions"][0]["text"]
    assert {"heart", "blue"} <= {*said.split()}
    said = send(client, encoded(), decode_must_not=greedy["captions"][0]["text"].split()[0]).json()["captions"][0]
    assert said["text"].split()[0] != greedy["captions"][0]["text"].split()[0]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_photos_of_the_usual_formats_are_taken_whatever_their_name(client, form):
    assert send(client, encoded(form=form)).status_code == 200


def a_zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", "no")
    return file.getvalue()


WRONG = {
    "nothing": ([], {"maps": "false"}, 422, "no photo"),
    "empty": ([b""], {}, 415, "not an image"),
    "html": ([b"<!doctype html><html>"], {}, 415, "not an image"),
    "zip": ([a_zip()], {}, 415, "not an image"),
    "tiff": ([encoded(form="TIFF")], {}, 415, "jpeg, png"),
    "truncated": ([encoded(form="JPEG")[:700]], {}, 422, "truncated"),
    "damaged": ([encoded()[:60] + bytes(40)], {}, 422, "0.jpg"),
    "bomb": ([bomb()], {}, 413, "20000 x 10000 pixels"),
    "long": ([bomb(39_000, 1_000)], {}, 413, "pixels a side"),
    "nine": ([encoded()] * 9, {}, 413, "at most 8"),
    "one of two": ([encoded(), b"no"], {}, 415, "1.jpg"),
    "unknown field": ([encoded()], {"url": "http://example.com/a.jpg"}, 422, "not a field"),
    "unknown option": ([encoded()], {"decode_num_beam": "3"}, 422, "did you mean num_beams"),
    "wrong value": ([encoded()], {"decode_num_beams": "many"}, 422, "whole number"),
    "too many beams": ([encoded()], {"decode_num_beams": "64"}, 422, "at most 16"),
    "too many beams as a float": ([encoded()], {"decode_num_beams": "2e2"}, 422, "at most 16"),
    "too many captions": ([encoded()], {"decode": "sample", "decode_num_return_sequences": "5e3"}, 422, "at most 16"),
    "too long as a float": ([encoded()], {"decode_max_length": "1.01e2"}, 422, "at most 100"),
    "too many words": ([encoded()], {"decode_must": ["blue"] * 9}, 422, "at most 8"),
    "too many forbidden words": ([encoded()], {"decode_must_not": ["blue"] * 17}, 422, "at most 16"),
    "a long phrase for many beams": (
        [encoded()] * 2,
        {"decode_must": "blue " * 10, "decode_num_beams": "16"},
        422,
        "at most 256",
    ),
    "not a number": ([encoded()], {"decode_length_penalty": "nan"}, 422, "-10 to 10"),
    "unknown strategy": ([encoded()], {"decode": "beams"}, 422, "did you mean beam"),
    "unknown word": ([encoded()], {"decode_must": "zebra"}, 422, "vocabulary"),
    "empty word": ([encoded()], {"decode_must": " "}, 422, "none of them empty"),
    "long word": ([encoded()], {"decode_must": "a" * 501}, 422, "at most 500"),
    "unknown model": ([encoded()], {"model": "smal"}, 422, "did you mean small"),
    "neither yes nor no": ([encoded()], {"maps": "maybe"}, 422, "true or false"),
    "a path as file": ([], {"file": "/etc/passwd"}, 422, "as files"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_clear_line(client, case):
    contents, fields, status, word = WRONG[case]
    if contents:
        answer = send(client, *contents, **fields)
    else:
        answer = client.post("/v1/caption", content=form_of(fields), headers=MULTIPART)
    assert answer.status_code == status and word in answer.json()["error"]
    assert len(answer.json()["error"].splitlines()) == 1


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


def form_of(fields):
    parts = [f'--x\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    return ("".join(parts) + "--x--\r\n").encode()


def test_a_body_that_is_no_form_is_refused(client):
    assert client.post("/v1/caption", json={"url": "http://example.com"}).status_code == 415
    broken = client.post("/v1/caption", content=b"--y", headers=MULTIPART)
    assert broken.status_code == 422 and "error" in broken.json()


def test_a_body_over_the_limit_is_refused_by_its_header_and_by_its_bytes(client):
    large = bytes(10_000_001)
    assert send(client, large).status_code == 413

    def in_pieces():
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        for _ in range(11):
            yield bytes(1_000_000)

    answer = client.post("/v1/caption", content=in_pieces(), headers=MULTIPART)
    assert answer.status_code == 413 and "10 MB" in answer.json()["error"]


def test_a_turned_photo_is_seen_upright(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, upright = io.BytesIO(), photo().transpose(Image.Transpose.ROTATE_270)
    photo().save(turned, "PNG", exif=exif)
    texts = [send(client, content).json()["captions"] for content in (turned.getvalue(), encoded(upright))]
    assert texts[0] == texts[1]


def test_a_large_jpeg_is_opened_as_the_command_line_opens_it(client, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(photo(1, (900, 700)).resize((1800, 1400)), "JPEG"))
    (model,) = small_models()
    (caption,) = model.captioner.caption([tmp_path / "a.jpg"])
    assert send(client, (tmp_path / "a.jpg").read_bytes()).json()["captions"][0]["text"] == caption.text


def test_the_schema_describes_the_interface(client):
    schema = client.get("/openapi.json").json()
    post = schema["paths"]["/v1/caption"]["post"]
    assert "file" in json.dumps(post["requestBody"]) and {"413", "415", "422", "503", "504"} <= post["responses"].keys()
    assert schema["components"]["schemas"]["Captions"]["example"]["captions"][0]["text"]
    assert {"/v1/caption", "/v1/chat/completions", "/v1/models", "/healthz", "/readyz", "/metrics"} == {
        *schema["paths"]
    }


def test_the_page_loads_nothing_from_other_hosts_and_no_other_file_is_given(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for name in ("index.html", "page.css", "page.js"):
        text = client.get(f"/{name}").text
        assert text and not re.findall(r"(?:https?:)?//[\w.]+\.\w", text.replace("// ", ""))
    for path in ("/../../pyproject.toml", "/%2e%2e/run.py", "/app.py", "/page/index.html", "/etc/passwd", "/docs"):
        assert client.get(path).status_code == 404


def test_health_and_counters(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["models"] == ["small"]
    send(client, encoded())
    text = client.get("/metrics").text
    assert float(re.search(r"^showtell_photos_total (\S+)$", text, re.MULTILINE)[1]) >= 1
    assert 'showtell_requests_total{route="/v1/caption",status="200"}' in text


def test_a_request_keeps_its_id_if_it_is_harmless(client):
    ids = [client.get("/healthz", headers={"x-request-id": name}).headers["x-request-id"] for name in ("a-1", "a b")]
    assert ids[0] == "a-1" and re.fullmatch(r"\w{32}", ids[1])


def test_other_methods_are_refused_in_the_same_form(client):
    assert "error" in client.get("/v1/caption").json() and client.get("/v1/caption").status_code in (404, 405)


def test_the_models_and_their_options_are_listed(client):
    (about,) = client.get("/v1/models").json()["data"]
    assert about["id"] == "small" and about["maps"] and about["decode"]["num_beams"] == 3
    assert about["strategies"]["sample"]["temperature"] == 1.0
    assert math.isfinite(about["created"])
