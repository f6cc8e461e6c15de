"""`POST /v1/chat/completions` in OpenAI's form, which photo libraries speak: a data URL in, the caption out.

The words of the conversation are not read: a captioner only describes photos. A link is refused, never fetched.
"""

import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any
from uuid import uuid4

from showtell.plumbing.reading import parse_json
from showtell.serve.desk import File
from showtell.serve.limits import Refused

LINK = "an image must be a data URL such as data:image/jpeg;base64,...; nothing is fetched"


def read_messages(body: bytes) -> tuple[str | None, list[File], bool]:
    """The model's name, the photos of the last message that has any, and whether the answer shall be streamed."""
    try:
        asked = parse_json(body)
    except ValueError:
        raise Refused(422, "the body is not JSON") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        raise Refused(422, "the body needs a list `messages`")
    name = asked.get("model")
    if name is not None and not isinstance(name, str):
        raise Refused(422, "model must be a text")
    for message in reversed(asked["messages"]):
        content = message.get("content") if isinstance(message, dict) else None
        if urls := [_url(part) for part in content if _is_image(part)] if isinstance(content, list) else []:
            return (
                name,
                [(f"image {place}", _file(url)) for place, url in enumerate(urls, 1)],
                asked.get("stream") is True,
            )
    raise Refused(422, f"no message has an image_url; {LINK}")


def completion(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Captions in the form of a chat's answer, one line for each photo."""
    words = sum(len(caption["words"]) for caption in answer["captions"])
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer["model"],
        "system_fingerprint": answer["signature"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _text(answer["captions"])},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 0, "completion_tokens": words, "total_tokens": words},
    }


def streamed(answer: Mapping[str, Any]) -> str:
    """The same as server-sent events: one with the whole text, one that ends it."""
    whole = completion(answer)
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    delta = whole["choices"][0]["message"]
    first = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return "".join(f"data: {json.dumps(event)}\n\n" for event in (first, last)) + "data: [DONE]\n\n"


def mistake(refused: Refused) -> dict[str, Any]:
    """A refusal in OpenAI's form."""
    kind = "invalid_request_error" if refused.status < 500 else "server_error"
    return {"error": {"message": refused.line, "type": kind, "param": None, "code": None}}


def _text(captions: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(caption["text"] for caption in captions)


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("image_url", "input_image")


def _url(part: Mapping[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("url") if isinstance(image, dict) else image


def _file(url: Any) -> BytesIO:
    if not isinstance(url, str):
        raise Refused(422, LINK)
    head, comma, data = url.partition(",")
    head = head.strip().lower()
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise Refused(422, LINK)
    # Clients write base64 in several ways: in lines of 76, without the padding, in the alphabet for URLs.
    plain = "".join(data.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return BytesIO(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise Refused(422, "the data URL is not base64") from None
