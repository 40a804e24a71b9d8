"""Counters and gauges of the service, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

COUNTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
SECONDS_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)


class ServiceMetrics:
    """The counters and gauges of one service."""

    def __init__(self) -> None:
        """Start all counters at zero."""
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter("localsr_requests", "Requests", [*labels, "status"], registry=self._registry)
        self._seconds = Histogram("localsr_seconds", "Time", labels, buckets=SECONDS_BUCKETS, registry=self._registry)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request under the pattern of its route: paths from outside would make labels without end."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in COUNTED_METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Add a number that is read when Prometheus asks."""
        Gauge(f"localsr_{name}", description, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all numbers in the format of Prometheus."""
        return generate_latest(self._registry)
