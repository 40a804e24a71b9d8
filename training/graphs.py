"""Make the graphs of the package's networks from their checkpoints: `python training/graphs.py [ARCHITECTURE...]`."""

from __future__ import annotations

import sys

from localsr.onnx.making import architectures, make_graphs


def main(wanted: list[str]) -> None:
    """Make the graphs of the architectures that are named, or of all."""
    for name, checkpoints in architectures().items():
        if not wanted or name in wanted:
            card = make_graphs(name, checkpoints)
            print(f"{name}: {', '.join(card.checkpoints)}; at most {card.difference:.1e} from torch")


if __name__ == "__main__":
    main(sys.argv[1:])
