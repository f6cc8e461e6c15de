"""The command `serve`: wrong use is one line, an open address gets a warning, a signal ends it in order."""

import re
import signal
import socket
import subprocess
import sys

import pytest

from showtell.plumbing.errors import InputError
from showtell.serve.run import _address, is_this_machine, listen, short_names
from tests.serve.running import small_models


def test_a_port_in_use_is_one_line(showtell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = showtell("serve", "--port", taken.getsockname()[1])
    assert code == 2 and "--port" in err and "in use" in err and len(err.splitlines()) == 1


WRONG = {
    "host": (["--host", "300.1.1.1"], "--host"),
    "another machine's host": (["--host", "203.0.113.7"], "--host"),
    "a model that there is not": (["--model", "./nowhere", "--port", "0"], "nowhere"),
    "a model as a word": (["runs/b6"], "--model runs/b6"),
    "a wrong option": (["decode.num_beam=3", "--port", "0"], "num_beams"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_clear_line(showtell, case):
    words, word = WRONG[case]
    code, _, err = showtell("serve", *words)
    lines = [line for line in err.splitlines() if not line.startswith("loading")]
    assert code == 2 and word in err and len(lines) == 1


def test_without_the_extra_the_error_names_it(showtell, monkeypatch):
    monkeypatch.setattr("showtell.serve", sys.modules["showtell.serve"])  # importing it again would replace it
    for name in [name for name in sys.modules if name.startswith("showtell.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = showtell("serve")
    assert code == 2 and "showtell[serve]" in err and "uvicorn" in err


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("127.1.2.3", "127.1.2.3"), ("127.1", "127.0.0.1")],
)
def test_loopback_is_this_machine(host, shown):
    with listen(host, 0) as listening:
        address, port = listening.getsockname()[:2]
    assert is_this_machine(address) and _address(host, address, port) == f"http://{shown}:{port}"


@pytest.mark.parametrize("host", ["0.0.0.0", "0"])
def test_all_addresses_are_not_and_the_page_is_at_loopback(host):
    with listen(host, 0) as listening:
        address, port = listening.getsockname()[:2]
    assert not is_this_machine(address) and _address(host, address, port) == f"http://127.0.0.1:{port}"


def test_addresses_of_version_6_stand_in_brackets():
    assert is_this_machine("::1") and not is_this_machine("::")
    assert _address("::", "::", 80) == "http://[::1]:80" and _address("fe80::2", "fe80::2", 80) == "http://[fe80::2]:80"


def test_listening_twice_on_one_port_is_an_error_about_it():
    with listen("127.0.0.1", 0) as first, pytest.raises(InputError) as error:
        listen("127.0.0.1", first.getsockname()[1])
    assert error.value.key == "--port"


def test_models_get_short_names_that_differ():
    assert short_names(["runs/a/", "tiny", "tiny"]) == {"a": "runs/a/", "tiny": "tiny"}
    assert short_names(["x/run", "y/run"]) == {"x/run": "x/run", "y/run": "y/run"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_serves_until_it_is_stopped(tmp_path, number, code):
    (model,) = small_models()
    model.captioner.save_pretrained(tmp_path / "run")
    command = [sys.executable, "-m", "showtell", "serve", "--model", str(tmp_path / "run"), "--port", "0"]
    with subprocess.Popen([*command, "--host", "0.0.0.0"], stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stderr.readline()]
        while "ready" not in lines[-1]:
            assert lines[-1], lines
            lines.append(process.stderr.readline())
        assert any("warning" in line and "other machines" in line for line in lines)
        assert re.search(r"http://127\.0\.0\.1:\d+ \(run\)", lines[-1])
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(30) == code and "stopped" in rest and "Traceback" not in rest
