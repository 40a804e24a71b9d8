"""Where a result comes from: what computed it, from what, and the mark for computed pictures; in XMP and as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from localsr import __version__
from localsr.geometry import Box

NAMESPACE = "urn:localsr:1.0:"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"  # IPTC's NewsCodes, as of 2024-09-17
# "Algorithmically-altered media": modified or corrected by an algorithm, as a network does that restores what a camera
# saw; "trainedAlgorithmicMedia" is for pictures that a network made from nothing
ENHANCED = SOURCE_TYPES + "algorithmicallyEnhanced"
SYNTHETIC = tuple(  # a source that says so stays what it is
    SOURCE_TYPES + term
    for term in (
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "compositeSynthetic",
        "algorithmicMedia",
        "dataDrivenMedia",
        "virtualRecording",
        "screenCapture",
    )
)
CONDITIONS = ("noise", "blur", "compression")  # that a network is told
MAX_BOXES = 1000  # that are listed: 20 KB of the 64 that a JPEG has for XMP


@dataclass(frozen=True)
class Provenance:
    """How a result was made; two results that are made alike have equal ones."""

    network: str = ""  # its name; empty for bicubic
    network_sha256: str = ""
    source_sha256: str = ""  # of the photo's file; empty where it is large or no file
    boxes: tuple[Box, ...] = ()  # LR px of the upright photo
    scale: float = 1  # a whole number as an int
    strategy: str = ""
    whole: bool = False  # whether the result is the whole photo with the boxes in it
    same_size: bool = False  # and whether they were reduced again, to the photo's own size
    told: tuple[float, ...] = ()  # noise, blur and compression, as in `localsr.conditions`, that the network was told
    software: str = f"localsr {__version__}"
    source_type: str = ENHANCED
    precision: str = ""  # that the network was asked to compute in: fp32, bf16 or fp16
    source_damage: str = ""  # what is wrong with the photo's file, of which a part is lost

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; what is not known is left out."""
        found = {
            "software": self.software,
            "network": self.network,
            "network_sha256": self.network_sha256,
            "source_sha256": self.source_sha256,
            "source_damage": self.source_damage,
            "boxes": [[b.left, b.top, b.right, b.bottom] for b in self.boxes],
            "scale": self.scale,
            "strategy": self.strategy,
            "precision": self.precision,
            "whole": self.whole,
            "same_size": self.same_size,
            "told": dict(zip(CONDITIONS, (round(value, 3) for value in self.told), strict=False)),
            "digital_source_type": self.source_type,
        }
        return {name: value for name, value in found.items() if value not in ("", [], {}, False)}

    @property
    def denser(self) -> float:
        """How many times the photo's resolution the result has: a region keeps its place on paper, a picture grows."""
        return 1 if self.whole else self.scale

    def properties(self) -> dict[str, str]:
        """Return localsr's own properties for XMP."""
        boxes = " ".join(f"{b.left},{b.top},{b.right},{b.bottom}" for b in self.boxes[:MAX_BOXES])
        found = {
            "Software": self.software,
            "Network": self.network,
            "NetworkSHA256": self.network_sha256,
            "SourceSHA256": self.source_sha256,
            "SourceDamage": self.source_damage,
            "Boxes": boxes,
            "BoxCount": str(len(self.boxes)),
            "Scale": str(self.scale),
            "Strategy": self.strategy,
            "Precision": self.precision,
            "Whole": "True" if self.whole else "",
            "SameSize": "True" if self.same_size else "",
            "Told": " ".join(f"{name}={value:.3f}" for name, value in zip(CONDITIONS, self.told, strict=False)),
        }
        printable = {name: "".join(filter(str.isprintable, value)) for name, value in found.items()}
        return {name: value for name, value in printable.items() if value}

    @classmethod
    def of_properties(cls, found: dict[str, str], source_type: str) -> Self | None:
        """Return what localsr's properties in XMP say; None for a picture that localsr did not make."""
        if "Software" not in found:
            return None
        boxes = re.findall(r"(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10})(?: |$)", found.get("Boxes", ""))
        sides = [tuple(int(side) for side in box) for box in boxes[:MAX_BOXES]]
        scale = found.get("Scale", "")
        number = r"(-?\d{1,3}\.\d{3})"
        told = re.fullmatch(" ".join(f"{name}={number}" for name in CONDITIONS), found.get("Told", ""))
        return cls(
            found.get("Network", ""),
            found.get("NetworkSHA256", ""),
            found.get("SourceSHA256", ""),
            tuple(Box(*each) for each in sides if each[0] < each[2] and each[1] < each[3]),
            _number(scale) if re.fullmatch(r"\d{1,3}(\.\d{1,20})?", scale) else 1,
            found.get("Strategy", ""),
            found.get("Whole") == "True",
            found.get("SameSize") == "True",
            tuple(map(float, told.groups())) if told else (),
            found["Software"],
            source_type,
            found.get("Precision", ""),
            found.get("SourceDamage", ""),
        )


def _number(text: str) -> float:
    """Return a number, a whole one as an int."""
    return float(text) if "." in text else int(text)
