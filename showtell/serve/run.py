"""The process: a socket, models loaded in the background, and an end that finishes what was begun."""

import contextlib
import ipaddress
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
from rich.console import Console
from uvicorn.protocols.http.h11_impl import H11Protocol

from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.messages import count, say
from showtell.serve.app import Load, make_app
from showtell.serve.body import refuse
from showtell.serve.limits import Limits, Refused
from showtell.serve.model import Model

CONNECTIONS = 256  # at once; the next one is answered with 503


async def busy(scope: Any, receive: Any, send: Any) -> None:
    """The answer to a client when the server has all the connections that it takes."""
    await refuse(send, Refused(503, "too many connections; try again in 2 s", retry_after=2))


class Patient(H11Protocol):
    """Uvicorn's protocol, which closes a connection that sends no request: else idle ones could fill the server."""

    head_time = 20.0  # seconds from the connection, or from an answer, to the next complete head

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self.app = busy
        self._wait_for_a_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait_for_a_head()  # a single byte ends uvicorn's own wait for the next request

    def _wait_for_a_head(self) -> None:
        self.loop.call_later(self.head_time, self._close_if_silent, self.cycle)

    def _close_if_silent(self, cycle: Any) -> None:
        if self.cycle is cycle:  # no request has begun since
            self.transport.close()


class Server(uvicorn.Server):
    """Uvicorn's, which remembers the signal that stopped it, and the error of loading."""

    stopped_by: int | None = None
    error: Exception | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal ends the server when all requests are answered; the second one at once."""
        before = {name: signal.signal(name, self._stop) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _stop(self, number: int, frame: Any) -> None:
        self.stopped_by = self.stopped_by or number
        self.handle_exit(number, frame)

    def failed(self, error: Exception) -> None:
        self.error, self.should_exit = error, True


def serve(
    names: Sequence[str], load: Load, host: str, port: int, console: Console, limits: Limits | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises InputError if the address or a model cannot be used."""
    limits = limits or Limits()
    listening = listen(host, port)
    address = _address(host, *listening.getsockname()[:2])
    servers: list[Server] = []

    def load_and_say() -> Sequence[Model]:
        models = load()
        for model in models:
            model.warm()
        say(console, f"ready: {address} ({', '.join(model.name for model in models)}); Ctrl-C stops it")
        return models

    app = make_app(load_and_say, limits, lambda error: servers[0].failed(error))
    servers.append(Server(settings_of(app, limits)))
    if not is_this_machine(listening.getsockname()[0]):
        say(console, f"warning: {host} is open to other machines; anyone who reaches {address} can use this server")
    say(console, f"loading {', '.join(names)}")
    with listening:
        servers[0].run(sockets=[listening])
    if servers[0].error is not None:
        raise servers[0].error
    say(console, f"stopped; {count(int(app.state.desk.metrics.total('photos')), 'photo')} captioned")
    if servers[0].stopped_by == signal.SIGINT:
        raise Interrupted("stopped")


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises InputError if the host is not of this machine or the port is in use."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a name"
        advice = "use 127.0.0.1, or an address of this machine"
        raise InputError(f"is {host!r}: {reason}", key="--host", value=host, advice=advice) from None
    family, kind, protocol, _, place = found[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno in (98, 48, 13):  # in use on Linux, in use on macOS, not allowed
            advice = "stop what uses it, or give --port 0 for a free one"
            raise InputError(f"is {port}: {error.strerror}", key="--port", value=port, advice=advice) from None
        raise InputError(f"is {host!r}: {error.strerror}", key="--host", value=host, advice="use 127.0.0.1") from None
    return listening


def is_this_machine(address: str) -> bool:
    """Whether only this machine reaches an address such as 127.0.0.1."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def models_of(captioners: dict[str, Captioner]) -> list[Model]:
    return [Model(name, captioner) for name, captioner in captioners.items()]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The name that clients use -> the model as given: `runs/b6` is `b6`, unless two would be equal.

    >>> short_names(["runs/b6", "tiny"]), short_names(["a/run", "b/run"])
    ({'b6': 'runs/b6', 'tiny': 'tiny'}, {'a/run': 'a/run', 'b/run': 'b/run'})
    """
    names = list(dict.fromkeys(names))
    short = [name.rstrip("/").rpartition("/")[2] or name for name in names]
    return dict(zip(short if len({*short}) == len(short) else names, names, strict=True))


def settings_of(app: Any, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=int(limits.answer_time + limits.body_time),
        proxy_headers=False,
        h11_max_incomplete_event_size=32_000,
        http=Patient,
        ws="none",
        loop="asyncio",
    )


def _address(host: str, number: str, port: int) -> str:
    """What a browser takes. `number` is the address of `host`: short forms such as 0 and 127.1 are no names."""
    shown = host if any(letter.isalpha() for letter in host) and ":" not in host else number
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(shown, shown)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
