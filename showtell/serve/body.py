"""ASGI middleware: a request's id, and its body's size and time, before anything parses it.

A body over the limit is answered with 413. What the client still sends is read and dropped for a while: if the server
closed at once, the network would drop the answer too.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

from showtell.serve.limits import Limits, Refused
from showtell.serve.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
DROPPED, DROPPING = 50_000_000, 3.0  # bytes and seconds of a refused body that are still read
ROUTES = ("/", "/v1/caption", "/v1/chat/completions", "/v1/models", "/healthz", "/readyz", "/metrics", "/openapi.json")
PAGE = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", f"{PAGE}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".encode()),
)


class Guard:
    """Wraps the app. Raises Refused inside `receive`, which the app or `_refuse` turns into an answer."""

    def __init__(self, app: Any, limits: Limits, metrics: Metrics) -> None:
        self.app, self.limits, self.metrics = app, limits, metrics

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request = Body(receive, self.limits)
        answer = Answer(send, scope["path"], _request_id(headers.get(b"x-request-id", b"")), self.metrics)
        try:
            request.check(headers.get(b"content-length"))
            await self.app(scope, request.receive, answer.send)
        except Refused as refused:
            if answer.begun:
                raise
            await request.drop()
            await refuse(answer.send, refused)


class Body:
    """Counts a body's bytes and watches its time."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self.limits = receive, limits
        self.size, self.whole = 0, False
        self.end = time.monotonic() + limits.body_time

    def check(self, length: bytes | None) -> None:
        """Refuse by the header alone, before a byte of the body is read."""
        if length is not None and length.isdigit() and int(length) > self.limits.body:
            raise self._too_large()

    async def receive(self) -> Message:
        if self.whole:
            return await self._receive()  # now it waits for the client to leave
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self.end - time.monotonic()))
        except asyncio.TimeoutError:
            self.whole = True
            line = f"the body did not arrive within {self.limits.body_time:g} s"
            raise Refused(408, line) from None
        self.size += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.size > self.limits.body:
            raise self._too_large()
        return message

    async def drop(self) -> None:
        """Read and drop what a refused client still sends, for a while."""
        end, size = time.monotonic() + DROPPING, 0
        while not self.whole and size < DROPPED and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except asyncio.TimeoutError:
                return
            size += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)

    def _too_large(self) -> Refused:
        return Refused(413, f"the body is over {self.limits.body // 1_000_000} MB, the most that is taken")


class Answer:
    """Adds headers to the answer and counts it."""

    def __init__(self, send: Send, path: str, request_id: str, metrics: Metrics) -> None:
        self._send, self.path, self.request_id, self.metrics = send, path, request_id, metrics
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message.get("headers", []), *HEADERS, (b"x-request-id", self.request_id.encode())]
            route = self.path if self.path in ROUTES else "other"
            self.metrics.add("requests", route=route, status=str(message["status"]))
        await self._send(message)


async def refuse(send: Send, refused: Refused) -> None:
    """The answer to a refusal: `{"error": "one line"}`."""
    body = json.dumps({"error": refused.line}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    if refused.status in (408, 413, 503):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _request_id(given: bytes) -> str:
    """The client's id if it is harmless, else a random one."""
    return given.decode() if re.fullmatch(rb"[\w.:-]{1,64}", given) else uuid4().hex
