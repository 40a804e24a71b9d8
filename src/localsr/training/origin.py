"""The network that a run starts from, and the plain one beside it."""

from __future__ import annotations

from localsr.errors import ConfigError
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES, CLSR, started
from localsr.models.embedded import find_network, is_foreign
from localsr.training.config import Recipe


def read_origin(name: str) -> tuple[CLSR, Card]:
    """Load the network that a run starts from."""
    path = find_network(name)
    if is_foreign(path):
        raise ConfigError(
            f"{name} runs as it is, and nothing can be trained around it; init takes {', '.join(BACKBONES)}"
        )
    return checkpoint.load(path)


def twin_of(recipe: Recipe, origin: tuple[CLSR, Card] | None) -> tuple[CLSR | None, dict[str, str]]:
    """Return the plain network that a CLSR one starts from, if that is its twin, and what the card says of the twin."""
    if origin is None or recipe.model.plain:
        return None, {}
    network, card = origin
    if not card.config.plain:
        return None, card.plain
    if card.config.scale != recipe.model.scale:
        return None, {}
    return network, {"name": card.name, "sha256": card.sha256}


def start(recipe: Recipe, origin: CLSR | None = None) -> CLSR:
    """Build the recipe's network, random or on the backbone of another, which may be kept as it is."""
    network = CLSR(recipe.model)
    multiple, least = network.backbone.multiple, recipe.model.gcm_patch if recipe.model.gcm else 1
    if recipe.context % multiple or recipe.context < least:
        raise ConfigError(
            f"a context of {recipe.context} LR px does not suit {recipe.model.backbone}: it must be a multiple of "
            f"{multiple} and at least {least}"
        )
    if origin is None:
        return network
    kept = recipe.freeze or recipe.target == "whole"
    if kept and not (origin.config.plain and origin.config.scale == recipe.model.scale):
        raise ConfigError(f'freeze and target = "whole" take a plain network as init, of x{recipe.model.scale}')
    network = started(recipe.model, origin)
    network.backbone.requires_grad_(not recipe.freeze)
    return network
