"""Stands between a driver and its server, passes everything on, and keeps what is asked for."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from types import TracebackType

from tilth.kernel.store.wire.messages import Sender

PIECE_BYTES = 65_536
PORT = 5432
"""Part of the name of the socket; nothing listens on the network."""


class Relay:
    """For one connection. It listens in a folder that only this user can enter, since whoever comes
    through here is to the server who this process is.
    """

    def __init__(self, upstream: Callable[[], socket.socket]) -> None:
        """upstream: a new connection to the server."""
        self._upstream = upstream
        self._sent: list[tuple[Sender, bytes]] = []
        self._is_recording = False
        self._lock = Lock()
        self._things = ExitStack()
        self.folder = ""

    def __enter__(self) -> Relay:
        self.folder = self._things.enter_context(TemporaryDirectory(prefix="tilth-"))
        listening = socket.socket(socket.AF_UNIX)
        self._things.callback(listening.close)
        listening.bind(str(Path(self.folder, f".s.PGSQL.{PORT}")))
        listening.listen(1)
        thread = Thread(target=self._serve, args=[listening], daemon=True)
        thread.start()
        self._things.callback(thread.join)
        self._things.callback(_wake, listening)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._things.close()

    def record(self) -> None:
        """From now on. To be called while both sides wait for the client to speak."""
        with self._lock:
            self._sent.clear()
            self._is_recording = True

    def recorded(self) -> list[tuple[Sender, bytes]]:
        """Everything since, in order; what one side said without a pause is one piece."""
        with self._lock:
            self._is_recording = False
            joined: list[tuple[Sender, bytes]] = []
            for sender, piece in self._sent:
                if joined and joined[-1][0] == sender:
                    joined[-1] = (sender, joined[-1][1] + piece)
                else:
                    joined.append((sender, piece))
            return joined

    def _serve(self, listening: socket.socket) -> None:
        try:
            client, _ = listening.accept()
        except OSError:
            return  # nobody came
        with client, suppress(OSError), self._upstream() as server:
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(client, selectors.EVENT_READ, ("client", server))
            waiting.register(server, selectors.EVENT_READ, ("server", client))
            while True:
                for key, _ in waiting.select():
                    sender, other = key.data
                    assert isinstance(key.fileobj, socket.socket)
                    piece = key.fileobj.recv(PIECE_BYTES)
                    if not piece:
                        return
                    self._keep(sender, piece)
                    other.sendall(piece)

    def _keep(self, sender: Sender, piece: bytes) -> None:
        with self._lock:
            if self._is_recording:
                self._sent.append((sender, piece))


def _wake(listening: socket.socket) -> None:
    """Closing a socket does not end a wait for it in another thread; this does."""
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
