# SPDX-License-Identifier: Apache-2.0
"""The wire tests' own ground: a process that ends too early, complains or does not stop cleanly is never overlooked."""
import pytest

from conftest import COMPLAINTS, listens

SERVER = ("import socket, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
          "s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); signal.pause()")


def test_a_server_is_ready_when_its_port_listens_and_stops_on_sigterm(start, free_port):
    port = free_port()
    server = start("/usr/bin/python3", "-c", SERVER, port, ready=port)
    assert listens(port)
    server.stop()
    assert not listens(port)


def test_a_server_that_ends_before_it_is_ready_fails_with_what_it_said(start, free_port):
    with pytest.raises(AssertionError, match=r"ended with 3:\s+no port for me"):
        start("/bin/sh", "-c", "echo no port for me >&2; exit 3", ready=free_port())


def test_a_process_that_does_not_end_with_0_on_sigterm_fails(start):
    child = start("/bin/sleep", 60)
    with pytest.raises(AssertionError, match="sleep ended with -15"):
        child.stop()


@pytest.mark.parametrize("line", [
    "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
    "==7==ERROR: LeakSanitizer: detected memory leaks",
    "WARNING: ThreadSanitizer: data race (pid=7)",
    "src/x.c:1:2: runtime error: signed integer overflow",
    "commute: invariant broken: a == b (src/x.c:1, f)",
])
def test_complaints_of_sanitizers_and_asserts_are_recognised(line):
    assert COMPLAINTS.search(line)
