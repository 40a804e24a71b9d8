"""What is known of files of others, by their sha256: their licence, and whether they were trained as GANs."""

from __future__ import annotations

UNKNOWN = "licence unknown: see where you got it"
INVENTS = "trained as a GAN, to please the eye: it invents detail, letters included"
MAY_INVENT = "if it was trained as a GAN, as most networks that people share are, it invents detail, letters included"
LICENCES = {
    "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1": "BSD-3-Clause",  # RealESRGAN_x4plus.pth
    "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da": "BSD-3-Clause",  # RealESRGAN_x4plus_anime_6B
    "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb": "BSD-3-Clause",  # RealESRGAN_x2plus.pth
    "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d": "BSD-3-Clause",  # realesr-animevideov3.pth
    "d48a759a84509351facb6b7c6d5bd6edec98b98519b8c464ee4ab44d2ba964ff": "MIT",  # carn_m.pth
}


WITHOUT_GAN = {"d48a759a84509351facb6b7c6d5bd6edec98b98519b8c464ee4ab44d2ba964ff"}  # carn_m.pth


def caution(sha256: str) -> str:
    """Return what to beware of in what the network of a file draws; nothing for one known to be no GAN."""
    return "" if sha256 in WITHOUT_GAN else INVENTS if sha256 in LICENCES else MAY_INVENT


def licence(sha256: str) -> str:
    """Return the licence of a file, or where to ask."""
    return LICENCES.get(sha256, UNKNOWN)
