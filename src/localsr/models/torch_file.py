"""Files that torch has saved: judged by size, count and pickle before torch builds anything from them."""

from __future__ import annotations

import io
import pickletools
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from localsr.errors import CheckpointError
from localsr.models.card import MAX_CHECKPOINT_BYTES

ZIP_MARK = b"PK\x03\x04"  # by which torch tells its new format from the old one
TEXT, TEXT_BYTES = re.compile(rb"[\t\n\r\x20-\x7e]+"), 256  # a text by its first bytes; no pickle that torch writes
OLD_PICKLES = 5  # with which the old one begins: three that mark it, the table, and the order of what follows
MAX_PICKLE_BYTES = 2**22
MAX_STEPS = 2**18  # of pickles; a tensor takes 40, and torch takes about 1 s for all
MAX_DIRECTORY_BYTES = 2**21  # of a zip; a part takes about 100
NEEDED_NAMES = re.compile(  # by a table of tensors; of others that torch allows, `bytearray` takes any memory
    r"collections OrderedDict|torch\._utils _rebuild_\w+|torch\.nn\.parameter Parameter|"
    r"torch\.serialization _get_layout|torch (?:[A-Z]\w*Storage|Size|device|b?float\w*|u?int\w*|bool)"
)


def load_torch_file(path: Path) -> Any:  # noqa: ANN401  # whatever the file holds
    """Return what a file of torch holds: tensors, containers, numbers and texts; nothing in it is executed.

    A file that would take long or much memory is refused by its size and its counts, before torch reads it.
    """
    try:
        with path.open("rb") as file:
            refuse_large(path, path.stat().st_size)
            if file.read(len(ZIP_MARK)) == ZIP_MARK:
                _check_zip(path, file)
                return torch.load(path, map_location="cpu", weights_only=True)
            file.seek(0)
            head = file.read(MAX_PICKLE_BYTES)
            if TEXT.fullmatch(head[:TEXT_BYTES]):
                reason = "it is a text, such as a page or a pointer to a file"
                raise CheckpointError(f"{path} is no file of weights that can be read safely: {reason}")
            _check_pickles(path, head, OLD_PICKLES)
            # no open file, from which torch would also take a tar, whose pickles nobody has looked at
            return torch.load(io.BytesIO(head + file.read()), map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle raises anything, and torch's own words advise to run its code
        reason = "it is no file of torch, is damaged, or holds more than tensors; save the network's state_dict() alone"
        raise CheckpointError(f"{path} is no file of weights that can be read safely: {reason}") from error


def refuse_large(path: Path, size: int) -> None:
    """Raise `CheckpointError` for more bytes than weights have."""
    if size > MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"{path} holds {size} bytes; weights have at most {MAX_CHECKPOINT_BYTES}")


def _check_zip(path: Path, file: BinaryIO) -> None:
    """Raise for a zip with too many parts, too much in them, parts that torch would unpack, or such a pickle."""
    if (length := _directory_bytes(file)) > MAX_DIRECTORY_BYTES:
        sentence = f"{path} has a directory of {length} bytes; that of weights has at most {MAX_DIRECTORY_BYTES}"
        raise CheckpointError(sentence)
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if any("/code/" in part.filename for part in parts):
            raise CheckpointError(f"{path} is TorchScript, a program, which is never run; save its state_dict() alone")
        refuse_large(path, sum(part.file_size for part in parts))
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise CheckpointError(f"{path} is packed, which torch's files are not; unpack it and save it by torch")
        for part in parts:
            if part.filename.endswith("data.pkl"):
                with archive.open(part) as pickled:
                    _check_pickles(path, pickled.read(MAX_PICKLE_BYTES), 1)


def _directory_bytes(file: BinaryIO) -> int:
    """Return the length of a zip's directory, as its end tells it: in 32 bits, or in 64 a little before."""
    file.seek(0, 2)
    file.seek(max(file.tell() - 2**16 - 100, 0))
    tail = file.read()
    end = tail.rindex(b"PK\x05\x06")
    if tail[end - 20 : end - 16] == b"PK\x06\x07":
        return int(struct.unpack("<Q", tail[end - 36 : end - 28])[0])
    return int(struct.unpack("<I", tail[end + 12 : end + 16])[0])


def _check_pickles(path: Path, data: bytes, count: int) -> None:
    """Raise for pickles that go on for long, or that name what no table of tensors needs."""
    file, steps = io.BytesIO(data), 0
    for _ in range(count):
        for step, argument, _ in pickletools.genops(file):
            steps += 1
            if steps > MAX_STEPS:
                raise CheckpointError(f"{path} has more than about {MAX_STEPS // 40} tensors; weights have fewer")
            if step.name == "GLOBAL" and not NEEDED_NAMES.fullmatch(str(argument)):
                raise ValueError(f"it names {argument}")
