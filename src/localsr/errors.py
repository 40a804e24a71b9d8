"""One family of errors; whoever catches `LocalSRError` has caught them all.

    LocalSRError
    ├── ImageError        a picture that cannot be read, or is not what it says it is
    ├── BoxError          a region without area, outside its picture, or not made of numbers
    ├── ConfigError       a setting that does not exist or cannot be (model, recipe, option)
    ├── CheckpointError   weights that are damaged, of another architecture, or not safetensors
    ├── DataError         a data set's folder that is missing, empty or mostly broken
    ├── OutputError       a result that could not be written (disk full, no permission)
    ├── ServiceError      a service that refuses, is busy, or cannot be reached
    └── StoppedError      work that a signal ended, saved so that it can go on

A message says what was given, what is allowed and what to do.
"""


class LocalSRError(Exception):
    """Whatever localsr refuses or fails to do."""


class ImageError(LocalSRError, ValueError):
    """A picture that cannot be read, or is not what it says it is."""


class BoxError(LocalSRError, ValueError):
    """A region without area, outside its picture, or not made of numbers."""


class ConfigError(LocalSRError, ValueError):
    """A setting that does not exist, or a value it cannot have."""


class CheckpointError(LocalSRError, ValueError):
    """Weights that are damaged, of another architecture, or not safetensors."""


class DataError(LocalSRError, ValueError):
    """A data set's folder that is missing, empty or mostly broken."""


class OutputError(LocalSRError, OSError):
    """A result that could not be written; what stood there before is untouched."""


class ServiceError(LocalSRError):
    """A service that refuses, is busy, or cannot be reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Remember the HTTP status; 0 where there was no answer."""
        super().__init__(message)
        self.status = status


class StoppedError(LocalSRError):
    """Work that a signal ended, saved so that it can go on."""

    def __init__(self, message: str, signum: int) -> None:
        """Remember the signal."""
        super().__init__(message)
        self.signum = signum
