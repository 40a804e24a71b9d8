"""Where graphs compute: onnxruntime's providers by the names of devices."""

from __future__ import annotations

import os
from typing import NamedTuple

from localsr.errors import ConfigError


class Provider(NamedTuple):
    """What onnxruntime calls a kind of device, and the package that brings it."""

    name: str
    package: str


CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu"),
    "directml": Provider("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime on macOS"),
}
FOUND_BY_AUTO = ("cuda", "directml")  # not coreml, which every package for macOS has, and which computes in 16 bits


def find_graph_device(asked: str) -> str:
    """Return the device for graphs: `auto` is an accelerator whose package is installed, else the CPU.

    Raises `ConfigError` for one that onnxruntime has no provider for here, with the package that brings it.
    """
    import onnxruntime

    present = onnxruntime.get_available_providers()
    if asked == "auto":
        return next((device for device in FOUND_BY_AUTO if PROVIDERS[device].name in present), "cpu")
    if asked == "cpu":
        return asked
    if asked not in PROVIDERS:
        raise ConfigError(f"graphs do not run on {asked!r}; choose auto, cpu, {', '.join(PROVIDERS)}")
    if PROVIDERS[asked].name not in present:
        raise ConfigError(f"graphs run on {asked} by {PROVIDERS[asked].package}; install it in place of onnxruntime")
    return asked


def providers_of(device: str) -> list[str]:
    """Return the providers that compute on a device, the best first; what it lacks the CPU computes."""
    return [CPU] if device == "cpu" else [PROVIDERS[device].name, CPU]


class GraphSettings(NamedTuple):
    """How graphs are opened."""

    threads: int = 1  # of the CPU
    device: str = "cpu"
    arena: bool = True  # keep freed memory for the next call

    @classmethod
    def of(cls, device: str, threads: int | None, max_memory: int | None) -> GraphSettings:
        """Return the settings for a device that is asked for; under a bound on memory freed memory is returned."""
        return cls(threads or cpu_threads(), find_graph_device(device), max_memory is None)


def cpu_threads() -> int:
    """Return how many threads this process is to compute with: OMP_NUM_THREADS, or the cores that it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    mine = getattr(os, "sched_getaffinity", None)  # where the system has it
    return len(mine(0)) if mine else os.cpu_count() or 1
