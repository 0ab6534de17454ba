# SPDX-License-Identifier: Apache-2.0
"""The client and the forwarder of the HTTP core: what a provider is sent, and what its caller is told when the provider
misbehaves. The provider is a script: a list of what each connection to it does."""
import json
import re
import socket
import threading
import time

import pytest

from conftest import SLOW, wait_until
from test_http_server import Client, get, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Provider:
    """Listens; each accepted connection is served by the next script, the last one again and again. A script is a list of
    steps: bytes are sent, "request" waits for a whole request, "half-close", "close" and "reset" end it, a number sleeps."""

    def __init__(self, *scripts):
        self.scripts = scripts
        self.requests = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self.play, args=(connection, script), daemon=True).start()

    def read_request(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            got = connection.recv(65536)
            if not got:
                raise ConnectionError
            data += got
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        self.requests.append((head + b"\r\n\r\n" + body).decode())

    def play(self, connection, script):
        try:
            for step in script:
                if step == "request":
                    self.read_request(connection)
                elif step == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    break
                elif step == "close":
                    break
                elif step == "half-close":
                    connection.shutdown(socket.SHUT_WR)
                elif isinstance(step, (int, float)):
                    time.sleep(step)
                else:
                    connection.sendall(step)
            else:
                connection.recv(1)              # until the proxy closes
        except OSError:
            pass
        connection.close()


@pytest.fixture
def proxy(start, build):
    """proxy(provider or URL, option…) starts a proxy in front of it and gives its process, with .port."""
    def begin(provider, *options):
        url = provider if isinstance(provider, str) else f"http://127.0.0.1:{provider.port}"
        process = start(build / "tests/wire/test-proxy", "--listen", "127.0.0.1:0", "--upstream", url, *options)
        process.port = int(wait_until(lambda: re.search(r"listening (\d+)", process.stdout()), what="the port")[1])
        return process
    return begin


def ask(process, text, to_head=False):
    client = Client(process.port)
    client.send(text)
    return client.response(to_head)


def stats(process):
    return dict(pair.split("=") for pair in ask(process, get("/stats"))[2].split())


def test_headers_go_through_in_order_and_hop_by_hop_ones_stop(proxy):
    provider = Provider(["request", b"HTTP/1.1 201 Created\r\nX-B: 1\r\nKeep-Alive: timeout=5\r\nX-A: 2\r\nConnection: X-Own\r\n"
                                    b"X-Own: 3\r\nContent-Length: 2\r\n\r\nok"])
    process = proxy(f"http://127.0.0.1:{provider.port}/base/")
    status, headers, body = ask(process, post("hello", "/path?q=1", "X-2: b", "Connection: close, X-Mine", "TE: trailers",
                                              "X-Mine: secret", "Upgrade: h2c", "X-1: a", "Idempotency-Key: k"))
    assert provider.requests == [
        f"POST /base/path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:{provider.port}\r\nX-2: b\r\nX-1: a\r\nIdempotency-Key: k\r\n"
        "Content-Length: 5\r\n\r\nhello"]
    assert (status, body) == (201, "ok")
    assert [name for name in headers if name.startswith("x-")] == ["x-b", "x-a"]
    assert headers["connection"] == "close"


def test_connections_to_the_provider_are_kept(proxy):
    provider = Provider(["request", OK] * 50)
    process = proxy(provider)
    for i in range(50):
        assert ask(process, post(f"{i}"))[2] == "ok"
    assert provider.connections == 1


RESPONSES = {
    "by length": (OK, 200, "ok"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200, "ok"),
    "after others that only inform": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, "ok"),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    "with an error": (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno", 500, "no"),
    "too large": (b"HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n", 502, "larger"),
    "with both framings": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, "both"),
    "with two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 502, "more than one"),
    "that is no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", 502, "provider-malformed"),
    "that switches protocols": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 502, "not asked for"),
}


@pytest.mark.parametrize("how", RESPONSES)
def test_a_response(proxy, how):
    response, expected, text = RESPONSES[how]
    process = proxy(Provider(["request", response]))
    status, _, body = ask(process, post("x"))
    assert status == expected
    assert text in body


def test_a_response_that_drips_is_whole(proxy):
    process = proxy(Provider(["request"] + [bytes([byte]) for byte in OK]))
    assert ask(process, get())[2] == "ok"


def test_a_response_that_ends_with_the_connection(proxy):
    process = proxy(Provider(["request", b"HTTP/1.1 200 OK\r\n\r\nall of it", "close"]))
    assert ask(process, get())[2] == "all of it"
    assert stats(process)["pool"] == "0"


def test_a_large_response_is_whole(proxy):
    size = 8 * 1024 * 1024
    process = proxy(Provider(["request", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size]))
    assert ask(process, get())[2] == "x" * size


def test_head_keeps_the_length_of_get(proxy):
    process = proxy(Provider(["request", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", "request", OK]))
    client = Client(process.port)
    client.send(get().replace("GET", "HEAD") + get())
    assert client.response(to_head=True)[1]["content-length"] == "1234"
    assert client.response()[2] == "ok"


def test_a_response_nobody_asked_for_reaches_nobody(proxy):
    """Response smuggling: what comes behind a response must not answer the next request."""
    provider = Provider(["request", OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], ["request", OK])
    process = proxy(provider)
    for _ in range(2):
        assert ask(process, get())[2] == "ok"
    assert provider.connections == 2


def test_bytes_on_an_idle_connection_close_it(proxy):
    provider = Provider(["request", OK, 0.1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], ["request", OK])
    process = proxy(provider)
    assert ask(process, get())[2] == "ok"
    wait_until(lambda: stats(process)["pool"] == "0", what="the connection to be closed")
    assert ask(process, get())[2] == "ok"


def test_a_post_is_never_sent_twice_when_a_kept_connection_dies(proxy):
    provider = Provider(["request", OK, "request", "close"], ["request", OK])
    process = proxy(provider)
    assert ask(process, post("first"))[0] == 200
    status, _, body = ask(process, post("second"))
    assert (status, json.loads(body)["error"]) == (502, "provider-broke")
    assert len(provider.requests) == 2
    assert stats(process)["broken"] == "1"


def test_a_get_is_sent_again_when_a_kept_connection_dies(proxy):
    provider = Provider(["request", OK, "request", "reset"], ["request", OK])
    process = proxy(provider)
    assert ask(process, get("/1"))[0] == 200
    assert ask(process, get("/2"))[0] == 200
    assert [request.split()[1] for request in provider.requests] == ["/1", "/2", "/2"]
    assert stats(process)["repeated"] == "1"


def test_a_recognised_post_is_sent_again_when_a_kept_connection_dies(proxy):
    provider = Provider(["request", OK, "request", "close"], ["request", OK])
    process = proxy(provider, "--repeatable")
    assert ask(process, post("first"))[0] == 200
    assert ask(process, post("second"))[0] == 200
    assert len(provider.requests) == 3


def test_nothing_is_sent_again_after_the_first_byte_or_on_a_new_connection(proxy):
    provider = Provider(["request", OK, "request", b"HTTP/1.1 2", "close"], ["request", "close"])
    process = proxy(provider)
    assert ask(process, get())[0] == 200
    assert ask(process, get())[0] == 502
    assert ask(process, get())[0] == 502
    assert len(provider.requests) == 3


def test_a_provider_that_is_down_was_certainly_not_called(proxy, free_port):
    process = proxy(f"http://127.0.0.1:{free_port()}")
    status, _, body = ask(process, post("x"))
    assert (status, json.loads(body)["error"]) == (503, "provider-unavailable")
    assert stats(process)["not-sent"] == "1"


def test_a_name_that_does_not_exist_was_certainly_not_called(proxy):
    process = proxy("http://no-such-host.invalid:80")
    status, _, body = ask(process, post("x"))
    assert (status, json.loads(body)["error"]) == (503, "provider-unavailable")


def test_localhost_is_found(proxy):
    process = proxy(f"http://localhost:{Provider(['request', OK]).port}")
    assert ask(process, get())[2] == "ok"


def test_a_provider_that_does_not_answer_is_given_up_in_time(proxy):
    process = proxy(Provider(["request"]), "--call-ms", "300")
    began = time.monotonic()
    status, _, body = ask(process, post("x"))
    assert (status, json.loads(body)["error"]) == (504, "provider-timeout")
    assert 0.29 < time.monotonic() - began < 2 * SLOW
    assert stats(process)["timeout"] == "1"


def test_the_queue_has_an_end(proxy):
    provider = Provider(["request", 0.5, OK, "request", OK])
    process = proxy(provider, "--pool", "1", "--queue", "1")
    clients = [Client(process.port) for _ in range(3)]
    for client in clients:
        client.send(post("x"))
        time.sleep(0.05)
    assert [client.response()[0] for client in reversed(clients)] == [503, 200, 200]
    assert provider.connections == 1


def test_an_early_refusal_of_a_long_body_reaches_the_caller(proxy):
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    process = proxy(Provider([refusal, 0.5]))
    assert ask(process, post("x" * 1000000))[0] == 413


def test_a_provider_that_speaks_before_it_is_asked_is_heard(proxy):
    # Without `Connection: close` the next call may find the connection kept, and its end on the way: that one may break.
    busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"
    process = proxy(Provider([busy, "half-close", "request"]), "--call-ms", "5000")
    for _ in range(5):
        assert ask(process, post("x"))[2] == "busy"


def test_a_client_that_leaves_does_not_stop_the_call(proxy):
    provider = Provider(["request", 0.3, OK])
    process = proxy(provider)
    client = Client(process.port)
    client.send(post("x"))
    wait_until(lambda: provider.requests, what="the request")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.socket.close()
    wait_until(lambda: stats(process)["ok"] == "1", what="the outcome")


def test_https_is_refused_by_name(start, build):
    process = start(build / "tests/wire/test-proxy", "--upstream", "https://127.0.0.1:1")
    assert process.wait() == 69
    assert "https is not supported" in process.stderr()


def test_many_callers_at_once_each_get_their_own_answer(proxy, start, build):
    echo = start(build / "tests/wire/test-proxy", "--listen", "127.0.0.1:0")
    port = int(wait_until(lambda: re.search(r"listening (\d+)", echo.stdout()), what="the port")[1])
    process = proxy(f"http://127.0.0.1:{port}", "--pool", "4")
    wrong = []

    def work(number):
        client = Client(process.port)
        for i in range(150):
            body = f"{number}-{i}-" + "x" * (i * 200)
            client.send(post(body))
            status, _, got = client.response()
            if status != 200 or not got.endswith("\n" + body):
                wrong.append((number, i, status))
    workers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert int(stats(process)["connects"]) <= 4
    process.stop()
    echo.stop()
