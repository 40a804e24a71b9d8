"""The engine of many machines: actors of a Ray cluster, each with the network; the only file that imports ray.

Actors and not Ray Data: there a row that kills its worker has its whole block run again with "infinite retries" (a row
of eight that sends SIGKILL: its block of four was begun 15 times in 100 s, and the run never ended), and nothing counts
deaths by picture. With actors, counting, retries and assignment are `supervisor.supervise`, the same as on one machine.
Pictures, results and checkpoint must have the same paths on all machines (shared storage) or be URLs, and localsr be
installed there.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from typing import Any, cast

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError

from localsr.batch.rows import Rows
from localsr.batch.supervisor import Died, Ready, Reply
from localsr.batch.tasks import Setup, Task
from localsr.batch.worker import BatchWorker
from localsr.errors import ConfigError, LocalSRError
from localsr.images.vips import secure_process

NO_MACHINE_SECONDS = 120.0  # without room for any worker, after which the run gives up
CRASH_MESSAGE = "worker process has died"  # what Ray says where it is not the machine that is gone
DEATH_REASON = re.compile(r"The actor is dead because (.+?)\.( |$)")


class RayWorker(BatchWorker):
    """A worker whose start can be awaited, in a process of Ray's that is its own."""

    def __init__(self, setup: Setup) -> None:
        """Secure the process as a worker of one machine does, and load the network."""
        secure_process()
        super().__init__(setup)

    def ready(self) -> None:
        """Return once the network is loaded."""


class RayEngine:
    """Actors, one a core of the cluster or one a GPU."""

    def __init__(self, setup: Setup, size: int | None = None, address: str | None = None) -> None:
        """Join the cluster at `address`, or start one on this machine; `ConfigError` if there is none."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a CPU actor sees GPUs as its machine does
        self._joined = not ray.is_initialized()
        if self._joined:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RayError) as error:
                raise ConfigError(f"there is no Ray cluster at {address or 'this machine'}: {error}") from error
        resources: dict[str, float] = cast(Any, ray).cluster_resources()
        gpus = 0 if setup.device == "cpu" else int(resources.get("GPU", 0))
        self.size = size or gpus or max(1, int(resources.get("CPU", 1)))
        self._worker: Any = ray.remote(RayWorker).options(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0)
        self._setup = ray.put(setup)
        self._actors: dict[int, Any] = {}
        self._waiting: dict[Any, tuple[int, bool]] = {}  # what is awaited: of which slot, and whether it is its start
        self._idle_since = time.monotonic()

    def start(self, slot: int) -> None:
        """Ask for an actor; it begins when a machine has room."""
        actor = self._actors[slot] = self._worker.remote(self._setup)
        self._waiting[actor.ready.remote()] = (slot, True)

    def send(self, slot: int, task: Task, before: Rows) -> None:
        """Hand a task to an actor."""
        self._waiting[self._actors[slot].process.remote(task, before)] = (slot, False)

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Died]:
        """Return what actors answer."""
        done, _ = ray.wait(list(self._waiting), num_returns=1, timeout=seconds)
        if done or not all(starting for _, starting in self._waiting.values()):
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > NO_MACHINE_SECONDS:
            raise LocalSRError(
                f"no machine of the Ray cluster has had room for a worker for {NO_MACHINE_SECONDS:.0f} s"
            )
        return [self._receive(ref) for ref in done]

    def _receive(self, ref: Any) -> Ready | Reply | Died:  # noqa: ANN401  # ray's reference
        """Return what became of a start or a task that is over."""
        slot, starting = self._waiting.pop(ref)
        try:
            answer = ray.get(ref)
        except RayActorError as error:
            message = " ".join(str(error).split())
            if starting and "creation task" in message:  # what it could not start for, another would not either
                raise LocalSRError(str(error).strip().splitlines()[-1]) from error
            ray.kill(self._actors.pop(slot))
            reason = DEATH_REASON.search(message)
            blamed = isinstance(error, ActorDiedError) and CRASH_MESSAGE in message
            return Died(slot, reason[1] if reason else message[:200], blamed)
        except RayTaskError as error:
            raise LocalSRError(" ".join(str(error.cause).split())) from error
        return Ready(slot) if starting else Reply(slot, answer)

    def close(self) -> None:
        """End all actors, and the cluster if it was started here."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()
        self._waiting.clear()
        if self._joined:
            ray.shutdown()
