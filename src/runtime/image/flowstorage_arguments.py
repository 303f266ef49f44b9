"""Runs a flow script of Prefect 1 whose storage cannot be made in the image.

A script computes the arguments of `Docker(...)` for whoever registers it: by a Git command, a file
beside it, a variable of their shell. None of that is in the image, and none of it is needed there:
the storage that the flow gets is known. So what serves only these arguments may fail.

**Invariant**: a statement that anything else depends on is left as it is, and lines keep their
numbers.
"""

import ast
import sys
import types

TRY = "__flowstorage_try__"
# Statements that may be of use to the arguments alone. Those that leave a block are not among them.
SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom)
COMPOUND = (ast.With, ast.If, ast.For, ast.Try)
LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Global, ast.Nonlocal)
# A lambda cannot hold these.
BOUND_TO_THEIR_PLACE = (ast.Await, ast.Yield, ast.YieldFrom) + (
    (ast.NamedExpr,) if hasattr(ast, "NamedExpr") else ()
)


def run(path, name, shown_path=None):
    """Runs a script as `runpy.run_path` does; returns its globals.

    `shown_path` is what the script sees as `__file__`: beside it lies what it opens.
    """
    with open(path, "rb") as file:
        tree = ast.parse(file.read(), path)
    code = compile(rewritten(tree), path, "exec", dont_inherit=True)
    module = types.ModuleType(name)
    module.__dict__.update(
        {"__file__": shown_path or path, "__cached__": None, "__package__": "", TRY: try_or_leave}
    )
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    del module.__dict__[TRY]
    return dict(module.__dict__)


def try_or_leave(compute, otherwise):
    """Returns what a function computes, or what another does if that fails."""
    try:
        return compute()
    except Exception:
        return otherwise()


def rewritten(tree):
    """Returns the tree with what serves only `Docker(...)` made free to fail."""
    names = docker_names(tree)
    calls = [node for node in ast.walk(tree) if is_docker(node, names)]
    if calls:
        serving = serving_names(tree, calls)
        guard_bodies(tree, serving)
        Calls(names).visit(tree)
        ast.fix_missing_locations(tree)
    return tree


def docker_names(tree):
    """Returns the names that Prefect's class is imported by."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prefect"):
            for alias in node.names:
                if alias.name == "Docker":
                    names.add(alias.asname or alias.name)
    return names


def is_docker(node, names):
    """Returns whether a node is a call of `Docker`, by a name of its own or of a module's."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr == "Docker"
    return isinstance(node.func, ast.Name) and node.func.id in names


def arguments(call):
    """Returns the expressions of a call's arguments."""
    return list(call.args) + [keyword.value for keyword in call.keywords]


def loads(nodes):
    """Returns how often each name is read below the nodes."""
    counts = {}
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                counts[node.id] = counts.get(node.id, 0) + 1
    return counts


def stores(statement):
    """Returns the names that a statement binds; None where it binds more than names."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(
            node.ctx, ast.Load
        ):
            return None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.name == "*":
                    return None
                names.add((alias.asname or alias.name).split(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return None
    return names


def serves(statement, names):
    """Returns whether a statement binds such names, and does nothing else."""
    if not isinstance(statement, SIMPLE + COMPOUND):
        return False
    if any(isinstance(node, LEAVES) for node in ast.walk(statement)):
        return False
    bound = stores(statement)
    return bool(bound) and bound <= names


def statements(tree):
    """Yields every statement with the list that it stands in."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                for statement in body:
                    if isinstance(statement, ast.stmt):
                        yield statement


def serving_names(tree, calls):
    """Returns the names that are read, and only for arguments of the calls."""
    in_calls = [value for call in calls for value in arguments(call)]
    everywhere = loads([tree])
    names = set(loads(in_calls))
    bound = set()
    for statement in statements(tree):
        bound |= stores(statement) or set()
    # Names that only serve other names, to any depth: taken in first, and thrown out below.
    names = {name for name in bound if name in everywhere}
    while True:
        inside = list(in_calls)
        covered = set()
        for statement in statements(tree):
            if id(statement) not in covered and serves(statement, names):
                covered.update(id(node) for node in ast.walk(statement))
                inside.append(statement)
        seen = {id(node) for top in in_calls for node in ast.walk(top)}
        counts = loads(in_calls)
        for top in inside[len(in_calls) :]:
            for node in ast.walk(top):
                if (
                    isinstance(node, ast.Name)
                    and isinstance(node.ctx, ast.Load)
                    and id(node) not in seen
                ):
                    seen.add(id(node))
                    counts[node.id] = counts.get(node.id, 0) + 1
        kept = {name for name in names if counts.get(name, 0) == everywhere[name]}
        if kept == names:
            return kept
        names = kept


def guard_bodies(tree, names):
    """Makes statements that serve only the arguments free to fail."""
    for node in list(ast.walk(tree)):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                setattr(node, field, [guarded(statement, names) for statement in body])


def guarded(statement, names):
    """Returns a statement that binds its names to None where it fails, if it only serves."""
    if not serves(statement, names):
        return statement
    bound = sorted(stores(statement))
    text = "try:\n    pass\nexcept Exception:\n    {} = None".format(" = ".join(bound))
    guard = ast.parse(text).body[0]
    guard.body = [statement]
    for node in ast.walk(guard.handlers[0]):
        ast.copy_location(node, statement)
    return ast.copy_location(guard, statement)


class Calls(ast.NodeTransformer):
    """Makes each argument of `Docker(...)`, and the call itself, free to fail."""

    def __init__(self, names):
        self.names = names

    def visit_Call(self, node):
        self.generic_visit(node)
        if not is_docker(node, self.names):
            return node
        bare = ast.Call(func=node.func, args=[], keywords=[])
        node.args = [
            ast.copy_location(ast.Starred(free(arg.value, "()"), ast.Load()), arg)
            if isinstance(arg, ast.Starred)
            else free(arg, "None")
            for arg in node.args
        ]
        for keyword in node.keywords:
            keyword.value = free(keyword.value, "None" if keyword.arg else "{}")
        return free(node, bare)


def free(value, otherwise):
    """Returns an expression that gives `value`, or something else where that fails."""
    if any(isinstance(node, BOUND_TO_THEIR_PLACE) for node in ast.walk(value)):
        return value
    if isinstance(otherwise, str):
        otherwise = ast.parse(otherwise, mode="eval").body
    call = ast.parse("{}(lambda: 0, lambda: 0)".format(TRY), mode="eval").body
    call.args[0].body = value
    call.args[1].body = otherwise
    for node in ast.walk(call):
        if "lineno" not in vars(node) and isinstance(node, (ast.expr, ast.stmt)):
            ast.copy_location(node, value)
    return ast.copy_location(call, value)
