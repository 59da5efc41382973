"""A stopping server ends its streams and finishes everything else."""

from time import monotonic

import pytest

EVENTS = b"GET /endless?type=text/event-stream HTTP/1.1\r\nHost: test\r\n\r\n"
DOWNLOAD = b"GET /endless?type=application/x-ndjson HTTP/1.1\r\nHost: test\r\n\r\n"
LATE_EVENTS = b"GET /endless?type=text/event-stream&after=2 HTTP/1.1\r\nHost: test\r\n\r\n"
SLOW = b"GET /slow?seconds=3 HTTP/1.1\r\nHost: test\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


@pytest.fixture
def server(new_server):
    return new_server()


def test_a_stream_of_events_ends_properly_when_the_server_stops(server, read_to_end):
    with server.connection() as connection:
        connection.sendall(EVENTS)
        connection.recv(1)
        server.stop()
        stopped = monotonic()
        received = read_to_end(connection)

    assert received.endswith(LAST_CHUNK)
    assert monotonic() - stopped < 3


def test_any_other_endless_response_is_broken_off_when_the_server_stops(server, read_to_end):
    with server.connection() as connection:
        connection.sendall(DOWNLOAD)
        connection.recv(1)
        server.stop()
        stopped = monotonic()
        received = read_to_end(connection)

    assert not received.endswith(LAST_CHUNK)
    assert monotonic() - stopped < 4


def test_a_stopped_server_with_an_open_stream_is_gone_soon(server):
    with server.connection() as connection:
        connection.sendall(EVENTS)
        connection.recv(1)
        server.stop()

        server.process.wait(timeout=5)

    assert "Traceback" not in server.rest_of_log()


def test_a_request_in_flight_is_finished_beside_a_stream_that_ends(server, read_to_end):
    with server.connection() as stream, server.connection() as request:
        stream.sendall(EVENTS)
        stream.recv(1)
        request.sendall(SLOW)
        # The server has taken the request once it answers another one sent after it.
        server.ask(b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        server.stop()
        read_to_end(stream)
        answer = read_to_end(request)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'"done"')


def test_a_stream_that_begins_while_the_server_stops_is_ended_too(server, read_to_end):
    with server.connection() as connection:
        connection.sendall(LATE_EVENTS)
        server.ask(b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        server.stop()
        stopped = monotonic()
        received = read_to_end(connection)

    assert received.endswith(LAST_CHUNK)
    assert monotonic() - stopped < 8


def test_an_unexpected_error_is_logged_once_and_names_its_request(server):
    server.ask(
        b"GET /boom HTTP/1.1\r\nHost: test\r\nX-Request-ID: find-me\r\nConnection: close\r\n\r\n"
    )
    server.stop()

    log = server.rest_of_log()

    assert log.count("Traceback (most recent call last)") == 1
    assert "While answering GET '/boom' (request_id='find-me')" in log
