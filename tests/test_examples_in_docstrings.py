"""What callers of the core may call says what it takes, returns and raises, and shows it in an example that runs."""

import doctest
import inspect
from collections.abc import Callable

import pytest
import torch

import localsr
from localsr.inference.output import write_regions
from localsr.inference.restoration import Attention

CLASSES = (localsr.Scene, localsr.Restorer, localsr.Restoration, localsr.Strategy, Attention)


def public(owner: type) -> list[Callable[..., object]]:
    """The methods of a class that are its own and have no underscore."""
    found = [getattr(owner, name) for name in vars(owner) if not name.startswith("_")]
    return [each for each in found if inspect.isroutine(each)]


CALLABLES = {
    each.__qualname__: each
    for each in (localsr.load, localsr.restore, *(method for owner in CLASSES[:3] for method in public(owner)))
}


@pytest.mark.parametrize("name", CALLABLES)
def test_a_public_callable_says_all(name: str) -> None:
    text, signature = CALLABLES[name].__doc__ or "", inspect.signature(CALLABLES[name], eval_str=False)
    takes = [parameter for parameter in signature.parameters if parameter not in ("self", "cls")]
    assert ("Args:" in text) == bool(takes), text
    for parameter in takes:
        assert f"{parameter}: " in text, parameter
    assert "Returns:" in text or signature.return_annotation == "None"
    assert ">>> " in text


def examples() -> dict[str, doctest.DocTest]:
    found = {}
    for each in (*CLASSES, localsr.load, localsr.restore):
        for test in doctest.DocTestFinder().find(each):
            if test.examples:
                found[test.name] = test
    return found


@pytest.mark.parametrize("name", examples())
def test_an_example_runs(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples()[name])
    assert result.attempted > 0
    assert result.failed == 0


def test_the_classes_are_shown() -> None:
    assert {owner.__name__ for owner in CLASSES} <= set(examples())
    assert "Yields:" in (write_regions.__doc__ or "")
