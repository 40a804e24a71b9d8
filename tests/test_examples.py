"""The examples in docstrings are right."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import localsr

ROOT = Path(localsr.__file__).parents[1]
ELSEWHERE = {"client.py"}  # whose examples need a service: tests/serving runs them
WITH_EXAMPLES = [
    path
    for path in sorted((ROOT / "localsr").rglob("*.py"))
    if ">>> " in path.read_text() and path.name not in ELSEWHERE
]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_of_docstrings(path: Path) -> None:
    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
