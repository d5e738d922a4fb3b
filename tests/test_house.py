"""The house rules that no linter checks."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cellpk

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "cellpk").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def functions():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION):
                yield path, node


def code_lines(node):
    """Lines of a function without its docstring, comments and blank lines."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    lines = {line for part in body for sub in ast.walk(part) for line in span(sub)}
    return len(lines)


def span(node):
    return range(node.lineno, node.end_lineno + 1) if hasattr(node, "lineno") else ()


def tracked():
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_file_is_longer_than_400_lines():
    files = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {str(p): n for p, n in lengths.items() if n > 400} == {}


def test_no_function_is_longer_than_50_code_lines():
    long = {f"{p.name}:{f.name}": code_lines(f) for p, f in functions()}
    assert {name: n for name, n in long.items() if n > 50} == {}


def test_arguments_after_the_third_are_keyword_only():
    def positional(function):
        arguments = function.args.posonlyargs + function.args.args
        return [a.arg for a in arguments if a.arg not in {"self", "cls"}]

    public = [(p, f) for p, f in functions() if not f.name.startswith("_")]
    wide = [f"{p.name}:{f.name}" for p, f in public if len(positional(f)) > 3]
    assert wide == []


def test_every_public_name_has_an_example():
    for name in cellpk.__all__:
        thing = getattr(cellpk, name)
        if callable(thing):
            assert ">>> " in (thing.__doc__ or ""), f"{name} has no example"


def test_no_public_name_is_hidden_by_a_room():
    rooms = {path.stem for path in (ROOT / "cellpk").iterdir()}
    assert set(cellpk.__all__) & rooms == set()


def test_nine_of_ten_errors_name_the_offending_value():
    ours = {"DataError", "ModelError", "FitError", "Problem"}
    calls = [
        call
        for tree in TREES.values()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ours
    ]
    plain = [c for c in calls if not any(named(a) for a in arguments_of(c))]
    assert len(plain) <= len(calls) / 10, [ast.unparse(c) for c in plain]


def arguments_of(call):
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def named(argument):
    """Whether the argument says more than a fixed text does."""
    return not isinstance(argument, ast.Constant)


def test_less_than_five_percent_of_lines_are_repeated():
    run = 6
    windows = Counter()
    lines = {}
    for path in SOURCES:
        lines[path] = significant(path)
        windows.update(set(zip(*(lines[path][i:] for i in range(run)), strict=False)))
    repeated = total = 0
    for path in SOURCES:
        text = lines[path]
        inside = {
            i + j
            for i in range(len(text) - run + 1)
            if windows[tuple(text[i : i + run])] > 1
            for j in range(run)
        }
        repeated, total = repeated + len(inside), total + len(text)
    assert repeated < 0.05 * total


def significant(path):
    """Code lines of a file: no docstrings, comments, imports or blank lines."""
    tree = TREES[path]
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            skipped.update(span(node))
    text = path.read_text("utf-8").splitlines()
    kept = (line.strip() for i, line in enumerate(text, 1) if i not in skipped)
    return [line for line in kept if len(line) > 2 and not line.startswith("#")]


def test_import_and_help_load_nothing_heavy():
    heavy = "numpy pandas scipy matplotlib lmfit pymc nutpie arviz numba great_tables"
    script = (
        "import sys, cellpk, cellpk.cli\n"
        "from typer.main import get_command\n"
        "get_command(cellpk.cli.app).get_help\n"
        f"print([m for m in {heavy.split()} if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_ci_runs_the_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    run = (ROOT / ".ci/run").read_text("utf-8")
    for word in ("pytest", "demo"):
        wanted = rf"^python -m pip install .*{word}$"
        assert len([line for line in readme if re.match(wanted, line)]) == 1
        assert re.search(rf"command_of_readme {word}\b", run)


def test_nothing_tracked_names_a_registry_or_a_path_of_a_machine():
    foreign = re.compile(r"index-url|/simple/|file:///|/root/|/home/[a-z]|/work/[a-z]")
    own = Path(__file__)
    for path in tracked():
        if path != own and path.suffix in {".py", ".toml", ".md", ".txt", ".ipynb"}:
            assert not foreign.search(path.read_text("utf-8")), path


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    for line in lines:
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
