"""What a request is refused for."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818  # the word of HTTP APIs (RFC 9457)
    """A status, a sentence for whoever asked, and in how many seconds to ask again."""

    def __init__(self, status: int, sentence: str, *, kind: str = "ServiceError", retry: int | None = None) -> None:
        """Keep them; `kind` is the error of `localsr.errors` that `localsr.Client` raises."""
        super().__init__(sentence)
        self.status, self.sentence, self.kind, self.retry = status, sentence, kind, retry
