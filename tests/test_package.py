"""A wheel of `helpers` carries all that it needs: the explorer opens from it, in any folder, outside the checkout."""

import ast
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from course import TOP, imported
from packaging.requirements import Requirement
from test_binder import closure, installed_needs

OPEN = """
import importlib, pkgutil, sys
folder, num_runs, packages = sys.argv[1:]
sys.path.append(packages)  # without following the link in there that leads to the checkout
import helpers
assert helpers.__file__.startswith(folder), helpers.__file__
for module in pkgutil.walk_packages(helpers.__path__, "helpers."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from helpers.figures.explorer import Explorer
from helpers.runs.files import load_runs
from helpers.text import read_book
runs, complaints = load_runs()
assert len(runs) == int(num_runs) and not complaints, (len(runs), complaints)
assert Explorer()._repr_mimebundle_()[0]["image/png"]
assert len(read_book()) > 100_000
"""


def lecture_settings(prefix: Path) -> list[str]:
    """The defaults of the lecture mode where JupyterLab looks for them."""
    folder = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.d"
    return [path.read_text(encoding="utf-8") for path in folder.glob("rnn-from-scratch-course.json5")]


@pytest.mark.slow
def test_a_wheel_works_outside_the_checkout(tmp_path: Path):
    source, target, elsewhere = tmp_path / "source", tmp_path / "target", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    for name in ("pyproject.toml", "LICENSE"):  # building leaves files beside its sources, so it gets a copy of them
        shutil.copy(TOP / name, source)
    shutil.copytree(TOP / "helpers", source / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--no-cache-dir"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", "-t", str(target), str(wheel)], check=True)
    assert sorted(path.name for path in target.iterdir() if path.suffix != ".dist-info") == ["helpers", "share"]
    settings = [(source / "helpers" / "lecture.json5").read_text(encoding="utf-8")]
    assert lecture_settings(target) == settings
    assert lecture_settings(Path(sys.prefix)) == settings, "this environment has others: install again"
    there, here = ({path.relative_to(top) for path in (top / "helpers").rglob("*.*")} for top in (target, source))
    assert there == here, "a file is left out"
    num_runs = len(list((TOP / "helpers" / "runs" / "recordings").glob("*_h*.json")))
    command = [sys.executable, "-S", "-c", OPEN, str(target), str(num_runs), sysconfig.get_path("purelib")]
    subprocess.run(command, cwd=elsewhere, env={"PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}, check=True)


def test_all_that_helpers_imports_is_declared():
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [Requirement(line) for line in project["dependencies"]]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (TOP / "helpers").rglob("*.py"))
    modules = {name.partition(".")[0] for tree in trees for name, _ in imported(tree, "helpers.x")}
    names = {metadata.packages_distributions()[name][0] for name in modules - sys.stdlib_module_names - {"helpers"}}
    installed = {distribution.name: distribution.version for distribution in metadata.distributions()}
    assert names and {name.lower() for name in names} <= closure(declared, installed, "3.11", installed_needs)
