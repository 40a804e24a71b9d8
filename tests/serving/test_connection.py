"""What comes over a connection before there is a request: heads, bodies in crumbs, bodies that nobody asked for."""

import asyncio
import contextlib

import pytest
import uvicorn

from localsr.serving import connection
from localsr.serving.connection import Connection

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def answering(scope, receive, send):
    """Read the body and tell its length; at `/no` answer at once."""
    count, more = 0, scope["path"] != "/no"
    while more:
        message = await receive()
        count, more = count + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"%9d" % count})


def answer(*parts, pause=0.0, seconds=3.0):
    """What the parts of a request are answered, until the connection is closed or some seconds are over."""

    async def ask():
        server = uvicorn.Server(uvicorn.Config(answering, http=Connection, ws="none", lifespan="off", log_config=None))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        loop = asyncio.get_running_loop()
        made = await loop.create_server(lambda: Connection(server.config, server.server_state, {}), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*made.sockets[0].getsockname())
        got: list[bytes] = []

        async def listen():
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    got.append(data)

        listening = asyncio.ensure_future(listen())
        for part in parts:
            if not listening.done():
                writer.write(part)
                await asyncio.sleep(pause)
        done, _ = await asyncio.wait({listening}, timeout=seconds)
        listening.cancel()
        writer.close()
        made.close()
        return b"".join(got) + (b"" if done else b" open")

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([HEAD + b"a: b\r\n" * 5000 + b"\r\n"], 431),
        ([HEAD, *[b"a: b\r\n" * 30] * 4], 431),
        ([HEAD.replace(b"\r", b"") + b"a: b\n" * 5000 + b"\n"], 431),
        ([HEAD + b"a: b\r\n" * 90 + b"Connection: close\r\n\r\n"], 200),
        ([HEAD + b"Connection: close\r\nContent-Length: 9000\r\n\r", b"\n" + b"\n" * 9000], 200),
        ([CHUNKED + b"1\r\nx\r\n" * 16_000 + b"0\r\n\r\n"], 400),
        ([CHUNKED, *[b"1\r\nx\r\n" * 100] * 12], 400),
        ([CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + b"1\r\nx\r\n" * 900 + b"0\r\n\r\n"], 200),
        (
            [
                CHUNKED.replace(b"Host", b"Connection: close\r\nHost")
                + (b"64\r\n" + b"x" * 100 + b"\r\n") * 5000
                + b"0\r\n\r\n"
            ],
            200,
        ),
    ],
)
def test_heads_of_many_lines_and_bodies_in_crumbs_are_refused(parts, status):
    """Of the parsers that strangers reach: h11 takes 5 us for a chunk and 2 for a header, before anyone is known."""
    assert int(answer(*parts, pause=0.002).split()[1]) == status


def test_a_body_that_has_its_answer_is_read_for_a_moment(monkeypatch):
    """Of uploads that nobody asked for: an endless one was read for ever, at full speed."""
    monkeypatch.setattr(connection, "DISCARD_SECONDS", 0.3)
    endless = [CHUNKED.replace(b"/ ", b"/no "), *[b"ffff\r\n" + b"x" * 65535 + b"\r\n"] * 100]
    got = answer(*endless, pause=0.005, seconds=2)
    assert b" 200 " in got
    assert not got.endswith(b"open")
    ending = HEAD.replace(b"/ ", b"/no ") + b"Content-Length: 300000\r\n\r\n"
    twice = answer(ending, b"x" * 300_000, HEAD + b"Content-Length: 1\r\nConnection: close\r\n\r\nx", pause=0.1)
    assert twice.count(b"HTTP/1.1 200") == 2  # whose body ends goes on
