"""What stands in where a system lacks a call does the same."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from localsr import systems
from localsr.inference import memory
from localsr.interrupts import ending


def test_reading_and_writing_at_a_place_without_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pread", "pwrite"):
        monkeypatch.delattr(os, name)
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        assert systems.write_at(file.fileno(), b"0123456789", 0) == 10
        assert systems.write_at(file.fileno(), b"xy", 3) == 2
        assert systems.read_at(file.fileno(), 4, 2) == b"2xy5"
        assert systems.read_at(file.fileno(), 4, 8) == b"89"


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as first, (tmp_path / "lock").open("w") as second:
        systems.lock_file(first, wait=True)
        with pytest.raises(OSError, match="unavailable"):
            systems.lock_file(second, wait=False)


def test_memory_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.peak() > 2**24
    assert memory.resident() > 2**24
    monkeypatch.setattr(memory, "_status", lambda key: 0)
    assert memory.peak() > 2**24
    monkeypatch.setattr(memory, "most_memory", lambda: None)
    assert memory.resident() == memory.USUAL_BYTES


def test_signals_where_a_loop_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before, ended = signal.getsignal(signal.SIGTERM), []

    async def wait() -> None:
        loop = asyncio.get_running_loop()

        def refuse(*_: object) -> None:
            raise NotImplementedError

        monkeypatch.setattr(loop, "add_signal_handler", refuse)
        monkeypatch.setattr(loop, "remove_signal_handler", refuse)
        done = asyncio.Event()
        with ending(lambda: (ended.append(1), done.set())[0]):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(done.wait(), 10)

    interrupted = signal.getsignal(signal.SIGINT)
    try:
        asyncio.run(wait())
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupted)
    assert ended == [1]
