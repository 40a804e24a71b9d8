"""What the service tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)  # s


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter("localsr_requests", "Requests", [*labels, "status"], registry=self._registry)
        self._seconds = Histogram("localsr_seconds", "Time", labels, buckets=BUCKETS, registry=self._registry)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request, by its route's pattern: paths from outside would make labels without end."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Tell a number as it is when asked for."""
        Gauge(f"localsr_{name}", about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Give all in Prometheus' format."""
        return generate_latest(self._registry)
