# SPDX-License-Identifier: Apache-2.0
"""The server of the HTTP core, spoken to over plain sockets: what it answers, what it refuses, whom it cuts off and when."""
import json
import re
import socket
import threading
import time

import pytest

from conftest import SLOW, wait_until


class Client:
    """A connection that reads one response at a time and keeps what comes after it."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout * SLOW)
        self.rest = b""

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def read(self):
        got = self.socket.recv(65536)
        self.rest += got
        return got

    def response(self, to_head=False):
        """(status, headers, body) of the next response."""
        while b"\r\n\r\n" not in self.rest:
            assert self.read(), f"closed after {self.rest!r}"
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        status = int(lines[0].split()[1])
        length = 0 if to_head or status < 200 else int(headers.get("content-length", 0))
        while len(self.rest) < length:
            assert self.read(), "closed inside the body"
        body, self.rest = self.rest[:length], self.rest[length:]
        return status, headers, body.decode()

    def closed(self):
        """Waits for the end of the stream; nothing may come before it."""
        try:
            return not self.rest and not self.read()
        except ConnectionResetError:
            return True


@pytest.fixture
def serve(start, build):
    """serve(option…) starts the test server and gives its port."""
    def begin(*options):
        process = start(build / "tests/wire/test-proxy", "--listen", "127.0.0.1:0", *options)
        port = int(wait_until(lambda: re.search(r"listening (\d+)", process.stdout()), what="the port")[1])
        process.port = port
        return process
    return begin


def get(path="/echo", *headers):
    return "".join(line + "\r\n" for line in (f"GET {path} HTTP/1.1", "Host: test", *headers, ""))


def post(body, path="/echo", *headers):
    return get(path, f"Content-Length: {len(body)}", *headers).replace("GET", "POST", 1) + body


def test_a_request_is_answered_and_the_connection_stays(serve):
    client = Client(serve().port)
    for _ in range(3):
        client.send(post("hello", "/echo?a=b"))
        status, headers, body = client.response()
        assert status == 200
        assert body.startswith("POST /echo?a=b path=/echo query=a=b\n")
        assert body.endswith("\nhello")
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
        assert "server" not in headers


def test_bytes_that_drip_make_the_same_request(serve):
    client = Client(serve().port)
    for byte in post("hello", "/echo?a=b", "Transfer-Encoding-Not: x"):
        client.send(byte)
    assert client.response()[2].endswith("\nhello")


def test_chunks_are_joined(serve):
    client = Client(serve().port)
    head = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(head + "5\r\nhello\r\n6;x=y\r\n there\r\n0\r\n\r\n" + get())
    assert client.response()[2].endswith("\nhello there")
    assert client.response()[2].startswith("GET /echo")


def test_pipelined_requests_are_answered_in_order(serve):
    client = Client(serve().port)
    # Those answered by another thread must not be overtaken by those answered at once.
    client.send("".join(get("/later" if i % 3 == 0 else f"/echo?{i}") for i in range(200)))
    for i in range(200):
        body = client.response()[2]
        assert body == "later\n" if i % 3 == 0 else body.startswith(f"GET /echo?{i} ")


def test_no_request_is_begun_while_another_is_being_answered(serve):
    client = Client(serve().port)
    client.send("".join(get("/soon" if i % 3 else f"/echo?{i}") for i in range(200)))      # the handler asserts it
    for i in range(200):
        body = client.response()[2]
        assert body == "soon\n" if i % 3 else body.startswith(f"GET /echo?{i} ")


def test_a_large_answer_is_whole_though_the_client_reads_late(serve):
    client = Client(serve().port)
    client.send(get("/big?20000000") + get())
    time.sleep(0.2)
    assert client.response()[2] == "x" * 20000000
    assert client.response()[0] == 200


def test_head_has_the_headers_of_get_and_no_body(serve):
    client = Client(serve().port)
    client.send(get("/plain").replace("GET", "HEAD") + get("/plain"))
    status, headers, _ = client.response(to_head=True)
    assert (status, headers["content-length"]) == (200, "6")
    assert client.response()[2] == "plain\n"


def test_expect_100_continue_is_answered_before_the_body_comes(serve):
    client = Client(serve("--max-body", "100").port)
    client.send(get("/echo", "Content-Length: 5", "Expect: 100-continue").replace("GET", "POST"))
    assert client.response()[0] == 100
    client.send("hello")
    assert client.response()[2].endswith("\nhello")
    client.send(get("/echo", "Content-Length: 101", "Expect: 100-continue").replace("GET", "POST"))
    assert client.response()[0] == 413          # and no 100 before it


def test_a_client_that_has_sent_all_and_says_so_still_gets_its_answers(serve):
    client = Client(serve().port)
    client.send(get("/never-mind") + get("/later"))
    client.socket.shutdown(socket.SHUT_WR)
    assert client.response()[2] == "later\n"
    assert client.response()[2] == "later\n"
    assert client.closed()


def test_connection_close_and_http_1_0_are_obeyed(serve):
    port = serve().port
    client = Client(port)
    client.send(get("/plain", "Connection: close"))
    assert client.response()[1]["connection"] == "close"
    assert client.closed()
    client = Client(port)
    client.send("GET /plain HTTP/1.0\r\n\r\n")
    assert client.response()[0] == 200
    assert client.closed()
    client = Client(port)
    client.send("GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
    assert client.response()[1]["connection"] == "keep-alive"
    assert client.response()[0] == 200


REFUSED = {
    "both framings": ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "a length with a sign": ("Content-Length: +3\r\n\r\nabc", 400),
    "a bad chunk size": ("Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "no CRLF after a chunk": ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
    "LF alone": ("X: y\n\r\n", 400),
    "NUL": ("X: \0\r\n\r\n", 400),
    "a folded header": ("X: y\r\n z\r\n\r\n", 400),
    "a second Host": ("Host: other\r\n\r\n", 400),
    "another coding": ("Transfer-Encoding: gzip\r\n\r\n", 501),
    "a body over the limit": ("Content-Length: 1048577\r\n\r\n" + "x" * 1048577, 413),
    "chunks over the limit": ("Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + "x" * 0xfffff + "\r\n5\r\nxxxxx\r\n0\r\n\r\n", 413),
    "a head over the limit": ("X: " + "x" * 17000 + "\r\n\r\n", 431),
    "too many headers": ("X: y\r\n" * 100 + "\r\n", 431),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_a_reason_and_closed(serve, what):
    lines, expected = REFUSED[what]
    client = Client(serve().port)
    client.send(get() + "POST /echo HTTP/1.1\r\nHost: test\r\n" + lines + get("/smuggled"))
    assert client.response()[0] == 200
    status, headers, body = client.response()
    assert status == expected
    assert headers["connection"] == "close"
    reason = json.loads(body)
    assert reason["error"] and reason["message"]
    assert client.closed()


def test_http_2_is_refused_by_version(serve):
    client = Client(serve().port)
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    status, _, body = client.response()
    assert status == 505 and "HTTP/2" in body
    assert client.closed()


def drip(client, seconds):
    """One byte of a header every 50 ms; gives how long it was let."""
    began = time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            client.send("x")
            client.socket.settimeout(0.05)
            try:
                if not client.read():
                    break
            except TimeoutError:
                pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    return time.monotonic() - began


def test_a_head_that_drips_is_cut_at_a_fixed_time(serve):
    client = Client(serve("--head-ms", "500").port)
    client.send("GET / HTTP/1.1\r\nX: ")
    lasted = drip(client, 5 * SLOW)
    assert 0.4 < lasted < 2.9 * SLOW            # cut at 0.5 s; up to 2 s more until the connection is dropped
    assert b" 408 " in client.rest


def test_a_body_that_drips_is_cut_at_a_fixed_time(serve):
    client = Client(serve("--body-ms", "500").port)
    client.send(get("/echo", "Content-Length: 100000").replace("GET", "POST"))
    lasted = drip(client, 5 * SLOW)
    assert 0.4 < lasted < 2.9 * SLOW
    assert b" 408 " in client.rest


def test_the_silent_are_cut_without_a_word(serve):
    port = serve("--head-ms", "300", "--idle-ms", "300").port
    silent, idle = Client(port), Client(port)
    idle.send(get())
    idle.response()
    assert silent.closed() and idle.closed()


def test_a_client_that_does_not_read_is_cut(serve):
    process = serve("--write-ms", "300")
    client = Client(process.port)
    client.send(get("/big?60000000"))

    def connections():
        other = Client(process.port)
        other.send(get("/stats", "Connection: close"))
        return "connections=1 " in other.response()[2]
    wait_until(connections, what="the reader to be cut")


def test_answers_to_clients_that_left_are_dropped(serve):
    process = serve()
    for _ in range(5):
        client = Client(process.port)
        client.send(get("/never-mind"))
        time.sleep(0.02)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.socket.close()                   # a reset

    def none_left():
        other = Client(process.port)
        other.send(get("/stats", "Connection: close"))
        return "connections=1 exchanges=1 " in other.response()[2]
    wait_until(none_left, what="the exchanges to end")


def test_beyond_the_limit_connections_wait(serve):
    process = serve("--max-connections", "2")
    first, second, third = (Client(process.port) for _ in range(3))
    first.send(get())
    first.response()
    second.send(get())
    second.response()
    third.send(get())
    third.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        third.read()
    first.socket.close()
    third.socket.settimeout(10 * SLOW)
    assert third.response()[0] == 200


def test_shutdown_answers_what_is_under_way_and_says_close(serve):
    process = serve()
    idle, busy = Client(process.port), Client(process.port)
    idle.send(get())
    idle.response()
    busy.send(get("/never-mind"))
    time.sleep(0.1)
    process.child.terminate()
    assert idle.closed()
    status, headers, body = busy.response()
    assert (status, headers["connection"], body) == (200, "close", "later\n")
    assert busy.closed()
    busy.socket.close()
    process.stop()
    with pytest.raises(ConnectionRefusedError):
        Client(process.port)


def test_shutdown_waits_for_the_first_request_of_a_new_connection(serve):
    process = serve()
    busy, silent, new = Client(process.port), Client(process.port), Client(process.port)
    busy.send(get("/never-mind"))                       # (the shutdown has begun when it is answered, or is about to)
    time.sleep(0.1)
    process.child.terminate()
    assert busy.response()[0] == 200
    new.send(get())
    status, headers, _ = new.response()
    assert (status, headers["connection"]) == (200, "close")
    assert silent.closed(), "but not for ever"
    for client in (busy, new):
        client.socket.close()
    process.stop()


def test_shutdown_cuts_those_who_stay_at_the_deadline(serve):
    process = serve("--drain-ms", "300")
    client = Client(process.port)
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
    time.sleep(0.1)
    began = time.monotonic()
    process.stop()
    assert time.monotonic() - began < 3 * SLOW


def test_ten_thousand_requests_of_all_kinds_leave_nothing_behind(serve):
    process = serve()

    def work():
        client = Client(process.port)
        for i in range(50):
            client.send(get() + post("x" * (i * 900)) + get("/later") + get("/big?30000")
                        + "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            for _ in range(5):
                assert client.response()[0] == 200
    for _ in range(5):
        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    client = Client(process.port)
    client.send(get("/stats"))
    stats = client.response()[2]
    assert "requests=10001 refused=0 " in stats
    process.stop()                              # a leak would be complained about by the sanitizer
