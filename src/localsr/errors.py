"""One family of errors: whoever catches `LocalSRError` catches them all.

    LocalSRError
    ├── ImageError        a picture that cannot be read, or is not what it says it is
    ├── BoxError          a region without area, outside its picture, or not made of numbers
    ├── ConfigError       a setting that does not exist, or a value that it cannot have
    ├── CheckpointError   weights that are damaged, of another architecture, or not safetensors
    ├── DataError         a folder of pictures that is missing, empty, mostly broken or in use
    ├── OutputError       a result that could not be written; what stood there is untouched
    ├── ServiceError      a service that refuses, is busy, or cannot be reached
    └── StoppedError      work that a signal stopped; its state is saved, and it can go on

A message says what was given, what is allowed and what to do.
"""


class LocalSRError(Exception):
    """The base of every error that localsr raises on purpose."""


class ImageError(LocalSRError, ValueError):
    """A picture that cannot be read, or is not what it says it is."""


class BoxError(LocalSRError, ValueError):
    """A region without area, outside its picture, or not made of numbers."""


class ConfigError(LocalSRError, ValueError):
    """A setting that does not exist, or a value it cannot have."""


class CheckpointError(LocalSRError, ValueError):
    """Weights that are damaged, of another architecture, or not safetensors."""


class DataError(LocalSRError, ValueError):
    """A folder of pictures that is missing, empty, mostly broken or in use by another process."""


class OutputError(LocalSRError, OSError):
    """A result that could not be written; what stood there before is untouched."""


class ServiceError(LocalSRError):
    """A service that refuses, is busy, or cannot be reached; `status` is its HTTP answer, 0 if there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class StoppedError(LocalSRError):
    """Work that the signal `signum` stopped; its state is saved, and it can go on."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum
