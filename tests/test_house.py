"""The house: whoever imports whom, arrows point down, and there are no circles. Imports inside functions count, those for types alone do not."""

import ast
import graphlib
from pathlib import Path

import pytest

import scratchae

PACKAGE = Path(scratchae.__file__).parent
# The rooms from the ground up: each may import what stands in a row below its own
FLOORS = (
    "errors",
    "files description environment",
    "arguments",
    "backend",
    "data layers",
    "losses",
    "penalties optimizers likelihoods",
    "models",
    "training",
    "study presets uses",
    "estimators plots",
    "runs bench",
    "tutorial",
    "cli",
    "__init__",
    "__main__",
)
HEIGHT = {room: height for height, row in enumerate(FLOORS) for room in row.split()}
EVERYWHERE = {"__version__"}  # of the package itself


def module_name(path):
    parts = ("scratchae", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py") if "tutorials" not in path.parts}


def imports(path):
    """The modules of the package that a file imports, wherever it does, with the line."""
    name = module_name(path)
    base = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.startswith("scratchae"))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = base.split(".")[: len(base.split(".")) - node.level + 1]
                source = ".".join([*above, *filter(None, [node.module])])
            else:
                source = node.module
            if source.split(".")[0] == "scratchae":
                for alias in node.names:
                    inside = f"{source}.{alias.name}"
                    if inside in MODULES:
                        yield inside, node.lineno
                    elif not (source == "scratchae" and alias.name in EVERYWHERE):
                        yield source, node.lineno


ARROWS = {name: {found for found in imports(path) if found[0] != name} for name, path in MODULES.items()}


def room(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_its_floor():
    assert {room(name) for name in MODULES} == set(HEIGHT)


@pytest.mark.parametrize("name", MODULES)
def test_arrows_point_down(name):
    up = [
        f"{MODULES[name].relative_to(PACKAGE)}:{line} imports {other}"
        for other, line in ARROWS[name]
        if room(other) != room(name) and HEIGHT[room(other)] >= HEIGHT[room(name)]
    ]
    assert not up


def test_there_are_no_circles():
    graph = {name: {other for other, _ in found} for name, found in ARROWS.items()}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


def test_no_file_is_too_long_to_read():
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES.values()
    }
    assert {name: length for name, length in lengths.items() if length > 330} == {}


WRITES = {"write_text", "write_bytes", "savefig", "save_file", "save", "savez", "copyfile", "copytree"}
WHOLE = {"written_whole", "folder_written_whole", "scratch_folder"}
# functions that write into a place which their callers have from one of these; and one that writes to the system
INSIDE = {"seal", "run_sphinx", "sign", "collect", "entry", "compute", "compare_times", "png", "peak_memory"}


def called(node):
    return getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""


def is_write(node):
    """Whether a call writes to a file."""
    if called(node) == "open":
        return any(isinstance(one, ast.Constant) and set(str(one.value)) & set("wax+") for one in node.args[1:2])
    return called(node) in WRITES and (called(node) != "save" or ast.unparse(node.func) == "np.save")


def writes_of(node, around=()):
    """Every call that writes a file, with the names of the functions and of the calls in `with` around it."""
    if isinstance(node, ast.FunctionDef):
        around = (*around, node.name)
    for inner in ast.iter_child_nodes(node):
        if isinstance(node, ast.With):
            around = (*around, *(called(item.context_expr) for item in node.items))
        if is_write(inner):
            yield inner, around
        yield from writes_of(inner, around)


def test_whatever_is_written_is_whole_or_not_there():
    """Through files.py, which see."""
    written = {
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}": around
        for path in MODULES.values()
        for node, around in writes_of(ast.parse(path.read_text(encoding="utf-8")))
        if "os.devnull" not in ast.unparse(node)
    }
    assert len(written) > 15
    assert [place for place, around in written.items() if not {*WHOLE, *INSIDE} & {*around}] == []
