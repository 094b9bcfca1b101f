"""Which files a program or a module consists of: those it is named by, and what they import.

Modules are looked for where Python would find them: beside the script, in the working directory,
in its `src`, and on `PYTHONPATH`. Installed packages do not count. What is imported by a name that
is known only while the program runs may be any module beside it, so all of them count then.
"""

import ast
import itertools
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audiocls.named_paths import is_dir, is_file

SCRIPTS = (".py", ".sh", ".bash", ".pl", ".r", ".R", ".jl", ".m", ".js")
CONFIGURATIONS = (".yaml", ".yml", ".toml", ".json", ".ini", ".cfg")
"""Of what a command names as a file, what belongs to the program: not the data and no output."""
READ_BY_WANDB = "config-defaults.yaml"
"""In the working directory W&B's client reads it unasked."""
BY_NAME = re.compile(r"\b(import_module|__import__|run_path|run_module|exec|walk_packages)\s*\(")
"""Calls that import what no `import` statement names."""
APART = ("wandb", "runs", "outputs", "multirun", "node_modules", "site-packages", "__pycache__")
"""Folders beside a program that hold no modules of it, but perhaps copies."""
MOST_FILES = 2000
"""Of one program, and folders that are searched for its modules."""
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.?")
UNFIT_PATTERNS = (OSError, ValueError, NotImplementedError, IndexError, RecursionError)
"""What `glob` raises of one too long, of `**x`, of an absolute one, of `.`, and of one too deep."""
SHELL_WORD = re.compile(r"[^\s'\"=;|&()<>`]+")


def files_of(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Return the files of the program that such a command line starts in `cwd`, sorted.

    Empty where the command names none: an installed program, or a file that is not there.
    """
    path = (environment or os.environ).get("PYTHONPATH", "")
    named = (cwd / entry for entry in path.split(os.pathsep) if entry)
    roots = [cwd, cwd / "src", *(folder for folder in named if not _holds_packages(folder))]
    search = _Search(cwd, tuple(root.resolve() for root in roots if is_dir(root)))
    search.add_command(words)
    if search.files and (cwd / READ_BY_WANDB).is_file():
        search.files.setdefault((cwd / READ_BY_WANDB).resolve())
    return tuple(sorted(search.files))


def _holds_packages(folder: Path) -> bool:
    """Whether packages are installed in a folder, as by `pip install --target`."""
    return is_dir(folder) and any(folder.glob("*.dist-info"))


def chosen_files(patterns: Iterable[str], cwd: Path) -> tuple[Path, ...]:
    """Return the files below `cwd` that fit any of the patterns, sorted."""
    return tuple(sorted({file.resolve() for pattern in patterns for file in _fit(pattern, cwd)}))


def _fit(pattern: str, cwd: Path) -> list[Path]:
    """Return the files below `cwd` that fit a pattern; none where it is not one."""
    try:
        return [file for file in cwd.glob(pattern) if file.is_file()]
    except UNFIT_PATTERNS:
        return []


@dataclass
class _Search:
    """The files found so far."""

    cwd: Path
    roots: tuple[Path, ...]
    files: dict[Path, None] = field(default_factory=dict)

    def add_command(self, words: Sequence[str]) -> None:
        """Add what a command line names: scripts, configurations, `-m` modules."""
        for position, word in enumerate(words):
            if position and words[position - 1] == "-m":
                self._add_module(word, self.roots)
            elif (file := self._file(word, (self.cwd,))) is not None:
                self._add(file)
            elif " " in word.strip():  # a line for `bash -c`
                self.add_command(_split(word))

    def _file(self, word: str, places: Iterable[Path]) -> Path | None:
        """Return the file of the program that a word names, alone or behind `--option=`."""
        name = word.rpartition("=")[2] if word.startswith("-") else word
        for place in places if name else ():
            file = place / name
            if not _is_readable(file):
                continue
            is_known = file.suffix in (*SCRIPTS, *CONFIGURATIONS)
            is_local_script = file.resolve().is_relative_to(self.cwd.resolve()) and _is_script(file)
            return file.resolve() if is_known or is_local_script else None
        return None

    def _add(self, file: Path) -> None:
        if file in self.files or len(self.files) >= MOST_FILES:
            return
        self.files[file] = None
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".py" or (text.startswith("#!") and "python" in text.partition("\n")[0]):
            self._add_imports(file, text)
        elif file.suffix not in CONFIGURATIONS:
            self._add_named(file, text)

    def _add_named(self, file: Path, text: str) -> None:
        """Add the scripts and modules that another script starts."""
        words = SHELL_WORD.findall(text)
        for before, word in zip(["", *words], words, strict=False):
            if before == "-m":
                self._add_module(word, self.roots)
            elif word.endswith(SCRIPTS):
                self._add_beside(word, file)

    def _add_beside(self, name: str, file: Path) -> None:
        other = self._file(name, (file.parent, self.cwd))
        if other is not None and other.suffix in SCRIPTS:
            self._add(other)

    def _add_imports(self, file: Path, text: str) -> None:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return  # it will not run either
        roots = tuple(dict.fromkeys((file.parent, *self.roots)))
        for name, places in _imports(tree, file, roots):
            self._add_module(name, places)
        for text_ in _texts(tree):
            if text_.endswith(SCRIPTS):
                self._add_beside(text_, file)
            elif "." in text_ and MODULE.fullmatch(text_):
                self._add_module(text_, roots, is_package_whole=text_.endswith("."))
        if BY_NAME.search(text):
            self._add_all(file.parent)

    def _add_module(self, name: str, roots: Iterable[Path], is_package_whole: bool = False) -> None:
        """Add a module with the packages around it, where it lies in one of the folders."""
        parts = name.strip(".").split(".") if os.sep not in name else []
        for root in roots if any(parts) else ():
            if not (_module(root / parts[0]) or is_dir(root / parts[0])):
                continue
            places = [root.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
            modules = [module for place in places if (module := _module(place))]
            if is_package_whole and is_dir(places[-1]):
                self._add_all(places[-1])
            main = places[-1] / "__main__.py"
            for module in [*modules, *([main] if _is_readable(main) else [])]:
                self._add(module.resolve())
            if modules:
                return

    def _add_all(self, folder: Path) -> None:
        for file in filter(_is_readable, _modules_below(folder)):
            self._add(file.resolve())


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return SHELL_WORD.findall(line)


def _is_readable(file: Path) -> bool:
    """Whether a word names a file that may be read; of another one nothing can be known."""
    try:
        return is_file(file) and os.access(file, os.R_OK)
    except PermissionError:
        return False


def _is_script(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == b"#!"


def _module(place: Path) -> Path | None:
    """Return the file of a module or a package that would lie at `place`."""
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if _is_readable(file)), None)


def _imports(
    tree: ast.AST, file: Path, roots: tuple[Path, ...]
) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Yield the modules that a file's `import` statements may mean, and where they may lie."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, roots) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.parents[min(node.level, len(file.parents)) - 1] if node.level else None
            places = roots if above is None else (above,)
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = inner if node.module else [alias.name for alias in node.names]
            yield from ((name.removesuffix(".*"), places) for name in names)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a program, such as names of scripts and modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _modules_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in itertools.islice(os.walk(folder), MOST_FILES):
        kept = (name for name in folders if name not in APART and not name.startswith("."))
        folders[:] = [name for name in kept if not Path(place, name, "pyvenv.cfg").exists()]
        yield from (Path(place, name) for name in sorted(files) if name.endswith(".py"))
