"""What callers of the core may call says all that it takes and returns; test_examples.py runs the examples."""

import inspect
from collections.abc import Callable

import pytest

import localsr
from localsr.inference.output import write_regions
from localsr.inference.region_scene import RegionScene
from localsr.inference.restoration import Attention
from localsr.inference.strategies import Enlarger


def public(owner: type) -> list[Callable[..., object]]:
    """The methods of a class that are its own and have no underscore."""
    found = [getattr(owner, name) for name in vars(owner) if not name.startswith("_")]
    return [each for each in found if inspect.isroutine(each)]


CLASSES = (localsr.Box, localsr.Scene, localsr.Restorer, localsr.Restoration)
BASES = (Enlarger, RegionScene)  # what scenes and restorers have of them
CALLABLES = {
    each.__qualname__: each
    for each in (localsr.load, localsr.restore, *(method for owner in (*CLASSES, *BASES) for method in public(owner)))
}


@pytest.mark.parametrize("name", CALLABLES)
def test_a_public_callable_says_all(name: str) -> None:
    text, signature = CALLABLES[name].__doc__ or "", inspect.signature(CALLABLES[name])
    takes = [parameter for parameter in signature.parameters if parameter not in ("self", "cls")]
    assert ("Args:" in text) == bool(takes)
    for parameter in takes:
        assert f"{parameter}: " in text, parameter
    assert "Returns:" in text or signature.return_annotation == "None"
    assert ">>> " in text


@pytest.mark.parametrize("owner", [*CLASSES, localsr.Strategy, Attention])
def test_a_public_class_has_an_example(owner: type) -> None:
    assert ">>> " in (owner.__doc__ or "")


def test_a_generator_says_what_it_yields() -> None:
    assert "Yields:" in (write_regions.__doc__ or "")
