"""A name means one thing: classes once in the package, functions of the same name in few modules, no import circle."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import localsr

ROOT = Path(localsr.__file__).parent
MAX_MODULES = 3  # that may hold a module-level function of the same name
MAX_LINES = 300  # of a module


def sources() -> dict[str, str]:
    """The text of each module of the package, by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def definitions(texts: dict[str, str], kinds: tuple[type[ast.stmt], ...]) -> dict[str, list[str]]:
    """Where each name is defined at the top of a module."""
    homes = defaultdict(list)
    for module, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, kinds):
                homes[node.name].append(module)  # type: ignore[attr-defined]
    return homes


def classes_twice(texts: dict[str, str]) -> dict[str, list[str]]:
    return {name: homes for name, homes in definitions(texts, (ast.ClassDef,)).items() if len(homes) > 1}


def functions_everywhere(texts: dict[str, str]) -> dict[str, list[str]]:
    found = definitions(texts, (ast.FunctionDef, ast.AsyncFunctionDef))
    dunder = {name for name in found if name.startswith("__")}  # module-level __getattr__ and its like
    return {name: homes for name, homes in found.items() if len(homes) > MAX_MODULES and name not in dunder}


def imported(module: str, text: str, modules: Iterable[str]) -> set[str]:
    """The modules of the package that a module imports, within functions too; a package stands for its __init__."""
    known, found = set(modules), set()
    tree = ast.parse(text)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return (found & known) - {module}


def circles(texts: dict[str, str]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others (Tarjan's strong components)."""
    graph = {module: sorted(imported(module, text, texts)) for module, text in texts.items()}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in graph[module]:
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            group = []
            while (last := stack.pop()) != module:
                group.append(last)
            if group:
                found.append(sorted([*group, module]))

    for module in graph:
        if module not in order:
            visit(module)
    return found


def too_long(texts: dict[str, str]) -> list[str]:
    return [module for module, text in texts.items() if text.count("\n") > MAX_LINES]


def test_no_module_is_too_long_to_read() -> None:
    assert too_long(sources()) == []


def test_a_class_name_stands_once() -> None:
    assert classes_twice(sources()) == {}


def test_a_function_name_stands_in_few_modules() -> None:
    assert functions_everywhere(sources()) == {}


def test_no_import_circle() -> None:
    assert circles(sources()) == []


def test_the_rules_can_fail() -> None:
    texts = {
        "p.a": "from p import b\nclass Row: ...\ndef run(): ...",
        "p.b": "def run(): ...\ndef later():\n    from p.c import Row",
        "p.c": "import p.a\nclass Row: ...\ndef run(): ...",
        "p.d": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.e\ndef run(): ...",
        "p.e": "import p.d",
    }
    assert too_long({"p.a": "x\n" * 300, "p.b": "x\n" * 301}) == ["p.b"]
    assert classes_twice(texts) == {"Row": ["p.a", "p.c"]}
    assert functions_everywhere(texts) == {"run": ["p.a", "p.b", "p.c", "p.d"]}
    assert circles(texts) == [["p.a", "p.b", "p.c"]]
