"""The line of a user's own code that makes a gradient."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def gradient_line(function: Any, name: str, position: int, *, last: bool = False) -> str:
    """ "file:number: source" of the assignment that makes the gradient of `name`; "" without source.

    function: the backward or loss function; of a method, the whole class is searched.  position: of the
    gradient in the tuple that backward returns.  last: the last statement that touches it, such as the
    one that adds a penalty, in place of the one that makes it.
    """
    function = _plain(function)
    owner = _class_of(function)
    for source in filter(None, (function, owner)):
        with contextlib.suppress(OSError, TypeError, SyntaxError, ValueError, IndexError):
            lines, start = inspect.getsourcelines(source)
            tree = ast.parse(textwrap.dedent("".join(lines)))
            found = _keyed(tree, name, last=last)
            if found is None and source is function:
                found = _returned(tree, position)
            if found is not None:
                file = Path(inspect.getsourcefile(source) or "?").name
                return f"{file}:{start + found - 1}: {lines[found - 1].strip()}"
    return ""


def name_of(function: Any) -> str:
    """What a function is called, for those without source."""
    function = _plain(function)
    return getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")


def first_line(function: Any) -> str:
    """ "file:number: source" of where a function begins; "" without source."""
    with contextlib.suppress(OSError, TypeError):
        lines, start = inspect.getsourcelines(_plain(function))
        file = Path(inspect.getsourcefile(_plain(function)) or "?").name
        return f"{file}:{start}: {lines[0].strip()}"
    return ""


def _plain(function: Any) -> Any:
    """The function inside wrappers and partial applications."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "formula", function)
    with contextlib.suppress(ValueError):
        function = inspect.unwrap(function)
    if not inspect.isroutine(function) and not isinstance(function, type) and callable(function):
        function = type(function).__call__
    return getattr(function, "__func__", function)


def _class_of(function: Any) -> type | None:
    """The class a method was defined in, where its module tells."""
    parts = getattr(function, "__qualname__", "").split(".")
    owner: Any = inspect.getmodule(function)
    for part in parts[:-1]:
        owner = getattr(owner, part, None)
    return owner if isinstance(owner, type) else None


def _keyed(tree: ast.AST, name: str, *, last: bool) -> int | None:
    """The line where something is stored under `name`, as grads["W1"] = … or {"W1": …}.

    The last one outside of branches and loops, or else the last one.
    """
    keys = {name, name.rpartition(".")[2]}
    found: list[tuple[int, int, ast.expr | None]] = []  # depth below which to look last, line, value
    for node, depth in _with_depth(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                targets = target.elts if isinstance(target, ast.Tuple) else [target]
                found += [(-depth, node.lineno, node.value) for t in targets if _is_key(t, keys)]
        elif isinstance(node, ast.AugAssign) and _is_key(node.target, keys) and last:
            found.append((0, node.lineno, None))
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found += [
                (-depth, v.lineno, v)
                for k, v in pairs
                if isinstance(k, ast.Constant) and k.value in keys and _stored(v)
            ]
    if not found:
        return None
    _, line, value = max(found, key=lambda f: f[:2])
    if isinstance(value, ast.Name):
        return _assigned(tree, value.id, line, last=last) or line
    return line


def _with_depth(tree: ast.AST, depth: int = 0) -> Iterator[tuple[ast.AST, int]]:
    """Every node, with the number of branches and loops it is inside of."""
    for child in ast.iter_child_nodes(tree):
        inner = depth + isinstance(child, ast.If | ast.Match | ast.For | ast.While | ast.Try)
        yield child, inner
        yield from _with_depth(child, inner)


def _stored(value: ast.expr) -> bool:
    """Whether a dict's entry may be a gradient, and not a parameter made at random or of zeros."""
    called = value.func if isinstance(value, ast.Call) else None
    return not (
        isinstance(called, ast.Attribute) and called.attr in ("standard_normal", "zeros", "ones", "randn")
    )


def _is_key(target: ast.AST, keys: set[str]) -> bool:
    return (
        isinstance(target, ast.Subscript)
        and isinstance(target.slice, ast.Constant)
        and target.slice.value in keys
        and not (isinstance(target.value, ast.Attribute) and target.value.attr == "params")
    )


def _returned(tree: ast.AST, position: int) -> int | None:
    """The line that makes the element at `position` of what the function returns last."""
    returns = [node for node in _own(tree) if isinstance(node, ast.Return) and node.value is not None]
    if returns:
        value = returns[-1].value
    else:
        value = next((node.body for node in ast.walk(tree) if isinstance(node, ast.Lambda)), None)
    if isinstance(value, ast.Tuple | ast.List) and position < len(value.elts):
        value = value.elts[position]
    if isinstance(value, ast.Name):
        return _assigned(tree, value.id, value.lineno, last=False) or value.lineno
    return value.lineno if isinstance(value, ast.expr) else None


def _assigned(tree: ast.AST, name: str, before: int, *, last: bool) -> int | None:
    """The last line before `before` that assigns to the variable or into it."""
    found, into = [], []
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign):
            targets = [node.target]
        for target in targets:
            for t in target.elts if isinstance(target, ast.Tuple) else [target]:
                held = t.value if isinstance(t, ast.Subscript) else t
                if isinstance(held, ast.Name) and held.id == name and held.lineno <= before:
                    plain = isinstance(node, ast.Assign) and isinstance(t, ast.Name)
                    (found if plain or last else into).append(held.lineno)
    filled = [line for line in into if not found or line > max(found)]  # a buffer of zeros, filled later
    return max(filled or found, default=None)


def _own(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the outermost function, without functions inside it."""
    body = getattr(tree, "body", [])
    stack: list[Any] = list(getattr(body[0], "body", body)) if body else []
    stack = stack if isinstance(stack, list) else []
    while stack:
        node = stack.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack = [*ast.iter_child_nodes(node), *stack]
