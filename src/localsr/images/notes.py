"""What is odd with a picture's file, in sentences for whoever gets a result of it."""

from __future__ import annotations

from localsr.images.photo import Photo


def notes_of(photo: Photo) -> tuple[str, ...]:
    """Return what is odd with a photo's file: damage, other pages, metadata that could not be used.

    Args:
        photo: A photo that `read` returned.

    Returns:
        Sentences; none for a file without oddities.

    Example:
        >>> import localsr, numpy as np
        >>> notes_of(localsr.read(np.zeros((48, 64, 3), np.uint8)))
        ()
    """
    found = [f"the file is damaged: {photo.damage}; what is lost is grey or black"] if photo.damage else []
    found += [f"{photo.page} of {photo.pages} frames or pages is used"] if photo.pages > 1 else []
    return (*found, *photo.metadata.notes)
