"""What stands in where a system lacks a call does the same, and no such call stands unguarded."""

import ast
import asyncio
import os
import signal
from pathlib import Path

import pytest

import localsr
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


NOT_ON_WINDOWS = {
    "": set("fcntl grp pty pwd resource syslog termios tty".split()),  # modules
    "os": set(
        "O_NONBLOCK fchmod fchown fork forkpty getloadavg getpgid getpriority getuid killpg mkfifo "
        "nice posix_fadvise pread pwrite sched_getaffinity sched_setaffinity sendfile setpriority setsid "
        "statvfs sysconf wait4".split()
    ),
    "signal": set("SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGSTOP SIGUSR1 SIGUSR2 alarm setitimer".split()),
}
GUARDS = ("sys.platform", "hasattr(", "NotImplementedError")


def unguarded(text: str) -> list[str]:
    """What Windows lacks and a module uses outside of a function that asks which system it is on."""
    tree, found = ast.parse(text), list[str]()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    asking = [node for node in functions if any(guard in ast.unparse(node) for guard in GUARDS)]
    guarded = {id(inner) for node in asking for inner in ast.walk(node)}
    for node in ast.walk(tree):
        names: set[str] = set()
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names} & NOT_ON_WINDOWS[""]
        elif isinstance(node, ast.ImportFrom):
            names = ({node.module or ""} & NOT_ON_WINDOWS[""]) or (
                {alias.name for alias in node.names} & NOT_ON_WINDOWS.get(node.module or "-", set())
            )
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = {node.attr} & NOT_ON_WINDOWS.get(node.value.id or "-", set())
        if id(node) not in guarded:
            found += sorted(names)
    return found


def test_what_windows_lacks_is_guarded() -> None:
    texts = {path: path.read_text() for path in Path(localsr.__file__).parent.rglob("*.py")}
    assert {str(path): found for path, text in texts.items() if (found := unguarded(text))} == {}
    assert any("import fcntl" in text for text in texts.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("from resource import getrusage", ["resource"]),
        ("import os\ndef f():\n    os.fork()", ["fork"]),
        ("from os import pread", ["pread"]),
        ("import signal\nSTOP = signal.SIGSTOP", ["SIGSTOP"]),
        ("import os\ndef f():\n    return os.pread(1, 2, 3) if hasattr(os, 'pread') else b''", []),
        ("import os\ngetattr(os, 'nice', int)(3)", []),
    ],
)
def test_the_rule_of_systems_can_fail(text: str, found: list[str]) -> None:
    assert unguarded(text) == found
