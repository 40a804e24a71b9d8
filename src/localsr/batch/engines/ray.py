"""The engine of many machines: actors of a Ray cluster, each with the network; the only file that imports ray.

Actors and not Ray Data: there a row that kills its worker has its whole block run again with "infinite retries" (a row
of eight that sends SIGKILL: its block of four was begun 15 times in 100 s, and the run never ended), and nothing counts
deaths by picture. With actors counting, retries and hand-out are `crew.work`, the same as on one machine. Pictures,
results and checkpoint must have the same paths on all machines (shared storage) or be URLs, and localsr be installed
there.
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

from localsr.batch.supervisor import Gone, Ready, Reply
from localsr.batch.tasks import Job, Setup
from localsr.batch.worker import Rates, Rows, Worker
from localsr.errors import ConfigError, LocalSRError

NOBODY = 120.0  # seconds without any machine for a worker before the run gives up
CRASHED = "worker process has died"  # what Ray says where it is not the machine that is gone
SENTENCE = re.compile(r"The actor is dead because (.+?)\.( |$)")


class Actor(Worker):
    """A worker that says when it is there."""

    def ready(self) -> None:
        """Say so."""


class Cluster:
    """Actors, one a core of the cluster or one a GPU."""

    def __init__(self, setup: Setup, rates: Rates, size: int | None = None, address: str | None = None) -> None:
        """Join the cluster at `address`, or begin one on this machine; `ConfigError` if there is none."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a CPU actor sees GPUs as its machine does
        self._joined = not ray.is_initialized()
        if self._joined:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RayError) as error:
                raise ConfigError(f"there is no Ray cluster at {address or 'this machine'}: {error}") from error
        there: dict[str, float] = cast(Any, ray).cluster_resources()
        gpus = 0 if setup.device == "cpu" else int(there.get("GPU", 0))
        self.size = size or gpus or max(1, int(there.get("CPU", 1)))
        self._worker: Any = ray.remote(Actor).options(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0)
        self._about = (ray.put(setup), ray.put(rates))
        self._actors: dict[int, Any] = {}
        self._waiting: dict[Any, tuple[int, bool]] = {}  # what is awaited: of which slot, and whether it is its start
        self._alone = time.monotonic()

    def start(self, slot: int) -> None:
        """Ask for an actor; it begins when a machine has room."""
        actor = self._actors[slot] = self._worker.remote(*self._about)
        self._waiting[actor.ready.remote()] = (slot, True)

    def send(self, slot: int, job: Job, before: Rows) -> None:
        """Give a picture to an actor."""
        self._waiting[self._actors[slot].do.remote(job, before)] = (slot, False)

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Gone]:
        """Hear what actors say."""
        done, _ = ray.wait(list(self._waiting), num_returns=1, timeout=seconds)
        if done or not all(starting for _, starting in self._waiting.values()):
            self._alone = time.monotonic()
        elif time.monotonic() - self._alone > NOBODY:
            raise LocalSRError(f"no machine of the Ray cluster has had room for a worker for {NOBODY:.0f} s")
        return [self._heard(ref) for ref in done]

    def _heard(self, ref: Any) -> Ready | Reply | Gone:  # noqa: ANN401  # ray's reference
        """Read one answer."""
        slot, starting = self._waiting.pop(ref)
        try:
            answer = ray.get(ref)
        except RayActorError as error:
            told = " ".join(str(error).split())
            if starting and "creation task" in told:  # what it could not start for, another would not either
                raise LocalSRError(str(error).strip().splitlines()[-1]) from error
            ray.kill(self._actors.pop(slot))
            why = SENTENCE.search(told)
            blamed = isinstance(error, ActorDiedError) and CRASHED in told
            return Gone(slot, why[1] if why else told[:200], blamed)
        except RayTaskError as error:
            raise LocalSRError(" ".join(str(error.cause).split())) from error
        return Ready(slot) if starting else Reply(slot, answer)

    def close(self) -> None:
        """Let all actors go."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()
        self._waiting.clear()
        if self._joined:
            ray.shutdown()
