"""A client that owes the server bytes is cut off in time; one that waits for us never is."""

import re
from itertools import repeat
from socket import SHUT_WR

import pytest

# Short budgets; nothing else in these tests depends on their size.
HEADER_SECONDS = 0.6
BODY_IDLE_SECONDS = 0.8
LONGEST_SECONDS = 6.0

HEAD = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\n"
LONG_BODY = HEAD + b"Content-Length: 5000\r\n\r\n"

PATTERNS = {
    "silent connect": (b"", repeat(b""), HEADER_SECONDS),
    "half a request line": (b"GET /ec", repeat(b""), HEADER_SECONDS),
    "dripping headers": (b"GET / HTTP/1.1\r\n", repeat(b"X-Slow: 1\r\n"), HEADER_SECONDS),
    "body never comes": (LONG_BODY, repeat(b""), BODY_IDLE_SECONDS),
    "a byte of body at a time": (LONG_BODY, repeat(b"x"), BODY_IDLE_SECONDS),
    "chunks a byte at a time": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        repeat(b"1\r\nx\r\n"),
        BODY_IDLE_SECONDS,
    ),
    "dripping trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        repeat(b"X-Slow: 1\r\n"),
        BODY_IDLE_SECONDS,
    ),
    "empty lines after an answer": (
        b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n",
        repeat(b"\r\n"),
        HEADER_SECONDS,
    ),
}


@pytest.fixture(scope="module")
def server(new_server):
    return new_server(
        header_seconds=HEADER_SECONDS,
        body_idle_seconds=BODY_IDLE_SECONDS,
        keep_alive_seconds=1,
        send_stall_seconds=0.5,
    )


@pytest.mark.parametrize("name", PATTERNS)
def test_a_slow_client_is_answered_408_and_cut_off(server, drip, name):
    opening, pieces, budget = PATTERNS[name]

    with server.connection() as connection:
        connection.sendall(opening)
        cut = drip(connection, pieces, 0.1)

    assert budget * 0.9 <= cut.seconds < LONGEST_SECONDS
    assert b"HTTP/1.1 408 Request Timeout\r\n" in cut.received
    assert b"content-type: application/problem+json\r\n" in cut.received


def test_a_request_that_we_are_slow_to_answer_is_not_cut_off(server):
    answer = server.ask(
        b"POST /slow?seconds=2 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"
    )

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_half_a_request_behind_a_slow_answer_does_not_cut_that_off(server, drip):
    with server.connection() as connection:
        connection.sendall(b"GET /slow?seconds=2 HTTP/1.1\r\nHost: test\r\n\r\nGET /li")
        cut = drip(connection, repeat(b""), 0.1)

    assert cut.received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_waiting_for_100_continue_is_not_cut_off(server):
    head = b"POST /slow?seconds=2 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nExpect: 100-continue\r\n"

    answer = server.ask(head + b"Content-Length: 5\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_idle_connection_is_closed_without_a_word(server, drip):
    with server.connection() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
        cut = drip(connection, iter(()), 0.1)

    assert cut.received.count(b"HTTP/1.1") == 1


def test_what_follows_an_early_answer_is_thrown_away_for_a_while(server, drip):
    head = b"POST /ignore HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: 500000\r\n\r\n"

    with server.connection() as connection:
        connection.sendall(head)
        cut = drip(connection, repeat(b"x" * 2000), 0.1)

    assert cut.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert cut.received.count(b"HTTP/1.1") == 1


def test_a_client_that_does_not_read_its_answer_is_cut_off(server):
    with server.connection() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
        # One byte read proves that the answer began; then nothing is taken until it is cut.
        connection.recv(1)
        taken = 0
        server.ask(b"GET /slow?seconds=2 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        try:
            while piece := connection.recv(1 << 20):
                taken += len(piece)
        except ConnectionResetError:
            pass

    assert taken < 64 * 1024 * 1024


def test_headers_without_end_are_refused(new_server, drip):
    server = new_server(header_bytes=5000)

    with server.connection() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        cut = drip(connection, repeat(b"X-Pad: " + b"x" * 1000 + b"\r\n"), 0.05)

    assert cut.received.startswith(b"HTTP/1.1 431 ")


def test_trailers_do_not_become_headers(server):
    head = b"POST /headers HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = server.ask(head + b"0\r\nAuthorization: Bearer x\r\n\r\n")

    assert answer.endswith(b'["connection","host","transfer-encoding"]')


def test_bytes_that_are_not_http_get_a_problem(server):
    answer = server.ask(b"\x16\x03\x01 hello\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in answer
    assert re.search(rb'"request_id":"[0-9a-f-]{36}"', answer)


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [
        (b"BREW /livez HTTP/1.1", b"501 Not Implemented"),
        (b"get /livez HTTP/1.1", b"501 Not Implemented"),
        (b"GET\t/livez HTTP/1.1", b"400 Bad Request"),
        (b"BREW /livez", b"400 Bad Request"),
        (b"GET /livez HTTP/1.1\r\nA b: c", b"400 Bad Request"),
    ],
)
def test_a_method_nobody_knows_is_told_from_garbage(server, request_line, answer):
    received = server.ask(request_line + b"\r\nHost: test\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 " + answer + b"\r\n")
    assert b"application/problem+json" in received


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_without_one_host_is_refused(server, hosts):
    received = server.ask(b"GET /livez HTTP/1.1\r\n" + hosts + b"\r\n")

    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"in the header Host" in received


def test_a_request_of_http_1_0_needs_no_host(server):
    assert server.ask(b"GET /livez HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_goes_away_leaves_no_trace_in_the_log(new_server, read_to_end):
    server = new_server()
    with server.connection() as connection:
        connection.sendall(LONG_BODY)
        connection.shutdown(SHUT_WR)
        read_to_end(connection)

    server.stop()

    assert "Traceback" not in server.rest_of_log()
