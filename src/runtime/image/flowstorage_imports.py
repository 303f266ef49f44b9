"""Says which extension modules the Python code of a distribution does without where they fail.

**Invariant**: reads source text, runs none of it; what cannot be read counts as not there.
"""

import ast
import re

# A distribution with more source than this is not read to its end.
_MOST_BYTES = 1 << 26
_MOST_PARSED = 100
_BLOCKS = ("body", "orelse", "finalbody")
_CAUGHT = frozenset(("ImportError", "ModuleNotFoundError", "OSError", "Exception", "BaseException"))


def optional(paths, modules):
    """Returns those of `modules` that the sources name, and nowhere import as if they must load.

    An import whose failure is caught, or of a name in a string, is one that may fail.
    """
    undecided = {}
    for module in modules:
        undecided.setdefault(module.rsplit(".", 1)[-1], set()).add(module)
    named = set()
    bytes_left, files_left = _MOST_BYTES, _MOST_PARSED
    pattern = _mention(undecided)
    for path in paths:
        source = _read(path, bytes_left)
        bytes_left -= len(source)
        statement = False
        for mention in pattern.finditer(source):
            if mention.group("string"):
                named.add(mention.group("string"))
            else:
                statement = True
        if not statement or files_left == 0:
            continue
        files_left -= 1
        for name, caught in _imports(source):
            if caught:
                named.add(name)
            elif undecided.pop(name, None):
                pattern = _mention(undecided)
        if not undecided:
            break
    return {module for name in named for module in undecided.get(name, ())}


def _mention(names):
    """Returns the pattern of statements that import one of the names, and of strings that name it."""
    name = "(?:{})".format("|".join(map(re.escape, sorted(names))) or r"\Z\A")
    return re.compile(
        r"^[ \t]*(?:from|import)\b[^\n(]*?(?:\([^)]*?)?\b(?P<name>{0})\b"
        r"|['\"](?:[\w.]+\.)?(?P<string>{0})['\"]".format(name),
        re.MULTILINE,
    )


def _imports(source):
    """Yields the last parts of all names that are imported, and whether a failure is caught."""
    try:
        pending = [(statement, False) for statement in ast.parse(source).body]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    while pending:
        node, caught = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            for name in names:
                yield name.rsplit(".", 1)[-1], caught
        handlers = getattr(node, "handlers", [])
        inside = caught or any(_survives(handler) for handler in handlers)
        for block in _BLOCKS:
            # What follows a failure, or its absence, has no part in it.
            state = inside if block == "body" else caught
            pending.extend((child, state) for child in getattr(node, block, []))
        for handler in handlers:
            pending.extend((child, caught) for child in handler.body)


def _survives(handler):
    """Returns whether a handler takes a failed import and goes on."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {kind.id for kind in kinds if isinstance(kind, ast.Name)}
    takes = handler.type is None or bool(names & _CAUGHT)
    return takes and not any(isinstance(node, ast.Raise) for node in handler.body)


def _read(path, most):
    if most <= 0:
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(min(most, 1 << 22))
    except OSError:
        return ""
