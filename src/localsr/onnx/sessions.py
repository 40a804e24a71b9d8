"""Graphs that onnxruntime has open, each when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsr.errors import CheckpointError
from localsr.onnx.devices import GraphSettings, providers_of

# How long a thread that waits for work spins before it sleeps; by default it is longer. Beside other processes 16
# regions take 0.69 s with two threads, by default 1.01; on quiet cores 80 ms by either, and 107 without any spinning.
SPIN_MICROSECONDS = 100


class GraphSession(Protocol):
    """What onnxruntime's InferenceSession does here."""

    def run(self, names: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Compute all outputs."""


class OpenGraphs(Mapping[str, GraphSession]):
    """Graphs by their names. A graph keeps the threads that it was opened for.

    So it is opened once more, for a share of them, by callers that run side by side.
    """

    def __init__(
        self, names: Iterable[str], open_one: Callable[[str, GraphSettings], GraphSession], settings: GraphSettings
    ) -> None:
        """Take the graphs' names and what opens one; nothing is opened yet."""
        self._names, self._open_one, self._settings = tuple(names), open_one, settings
        self._lock, self._open = threading.Lock(), dict[tuple[str, int], GraphSession]()
        self._share = threading.local()

    def __getitem__(self, name: str) -> GraphSession:
        """Return a graph that is open, for the threads that its caller has."""
        if name not in self._names:
            raise KeyError(name)
        threads: int = getattr(self._share, "threads", self._settings.threads)
        with self._lock:
            if (name, threads) not in self._open:
                self._open[name, threads] = self._open_one(name, self._settings._replace(threads=threads))
            return self._open[name, threads]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the graphs' names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many graphs there are."""
        return len(self._names)

    @contextmanager
    def shared_out(self, parts: int) -> Iterator[Callable[[], None]]:
        """Give threads that call what this yields their share of the cores, for as long as they live."""

        def begin() -> None:
            self._share.threads = max(1, self._settings.threads // parts)

        yield begin


def open_graph(
    path: Path, data: bytes, settings: GraphSettings, weights: Mapping[str, NDArray[np.float32]] | None = None
) -> GraphSession:
    """Open a graph that was checked; `weights` are those of a checkpoint, by their names in a graph that holds none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_MICROSECONDS))
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = settings.arena
    if weights is not None:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    try:
        session: GraphSession = onnxruntime.InferenceSession(data, options, providers=providers_of(settings.device))
    except Exception as error:  # a class for each of its codes, none of them public
        raise CheckpointError(f"graph {path} cannot be run: {str(error).splitlines()[0]}") from error
    return session
