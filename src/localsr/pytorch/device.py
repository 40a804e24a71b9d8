"""Where networks compute."""

from __future__ import annotations

import torch

from localsr.errors import ConfigError


def find_device(name: str) -> torch.device:
    """Find a device by torch's name; `auto` is an accelerator where there is one."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"{name!r} is no device that torch knows; choose auto, cpu, cuda or cuda:1") from None
    if device.type != "cpu" and (found is None or device.type != found.type):
        raise ConfigError(f"there is no {name} on this machine, only {found or 'cpu'}")
    if (device.index or 0) >= max(torch.accelerator.device_count(), 1):
        raise ConfigError(
            f"there is no {name} on this machine, which has {torch.accelerator.device_count()} of its kind"
        )
    return device
