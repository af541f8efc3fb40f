"""Binder builds what requirements.txt asks for: the same versions, all that they need, and `helpers`.

Each check takes the text of the files and returns a list of complaints, so that it can be shown a broken file.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import pytest
from jupyterlab.labapp import LabApp
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def read(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def lines(text: str) -> list[str]:
    """The lines of a requirements file without comments and blank lines."""
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in lines(text) if not line.startswith("-")]


def exact_version(requirement: Requirement) -> str | None:
    """The one version that the requirement allows, or None."""
    specifiers = list(requirement.specifier)
    exact = len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version
    return specifiers[0].version if exact else None


def pinned(text: str) -> dict[str, str | None]:
    return {canonicalize_name(r.name): exact_version(r) for r in requirements(text)}


def pin_complaints(binder: str) -> list[str]:
    """Every line of Binder's file is a package at one exact version, or names the index of CPU builds."""
    complaints, seen = [], set()
    for line in lines(binder):
        if line == f"--extra-index-url {CPU_INDEX}":
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            complaints.append(f"{line}: neither a package nor the index of CPU builds")
            continue
        name = canonicalize_name(requirement.name)
        if exact_version(requirement) is None or requirement.marker or requirement.extras:
            complaints.append(f"{line}: not of the form name==version")
        if name in seen:
            complaints.append(f"{line}: pinned twice")
        seen.add(name)
    if f"--extra-index-url {CPU_INDEX}" not in lines(binder):
        complaints.append(f"the index of CPU builds, {CPU_INDEX}, is missing")
    return complaints


def direct_complaints(direct: str, binder: str) -> list[str]:
    """Every package of requirements.txt has the same version on Binder; torch has its CPU build."""
    complaints, pins = [], pinned(binder)
    for name, version in pinned(direct).items():
        wanted = f"{version}+cpu" if name == "torch" else version
        if version is None:
            complaints.append(f"{name}: requirements.txt does not pin one exact version")
        elif pins.get(name) != wanted:
            complaints.append(f"{name}: Binder has {pins.get(name)} instead of {wanted}")
    return complaints


def installed_needs(name: str, version: str | None) -> list[str]:
    """What the package needs, if it is installed here at that very version: another may need other packages."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return []
    return distribution.requires or [] if distribution.version == version else []


def closure(
    wanted: Iterable[Requirement],
    pins: dict[str, str | None],
    python: str,
    needs: Callable[[str, str | None], list[str]] = installed_needs,
) -> set[str]:
    """Names of all that `wanted` need on Binder (Linux, this Python), directly or through others."""
    binder = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    waiting = [(canonicalize_name(r.name), frozenset(r.extras)) for r in wanted]
    seen = set()
    while waiting:
        name, extras = package = waiting.pop()
        if package in seen:
            continue
        seen.add(package)
        for needed in map(Requirement, needs(name, pins.get(name))):
            marker = needed.marker
            if marker is None or any(marker.evaluate(binder | {"extra": extra}) for extra in extras | {""}):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in seen}


def python_version(runtime: str) -> str | None:
    """The X.Y of runtime.txt, or None when it does not read python-X.Y, the one form that Binder takes."""
    match = re.fullmatch(r"python-(\d+\.\d+)\n", runtime)
    return match and match[1]


def closure_complaints(direct: str, binder: str, runtime: str) -> list[str]:
    """Nothing is left for Binder to choose: all that the packages need is pinned too."""
    pins = pinned(binder)
    missing = closure(requirements(direct), pins, python_version(runtime) or "3.11") - set(pins)
    return [f"{name}: needed, but not pinned for Binder" for name in sorted(missing)]


def python_complaints(runtime: str, pyproject: str) -> list[str]:
    version, wanted = python_version(runtime), tomllib.loads(pyproject)["project"]["requires-python"]
    if version is None:
        return [f"runtime.txt must read python-X.Y, but it is {runtime!r}"]
    allowed = SpecifierSet(wanted).contains(f"{version}.0")
    return [] if allowed else [f"Python {version} is not {wanted}, as pyproject.toml asks"]


def helpers_complaints(post_build: str, binder: str, pyproject: str) -> list[str]:
    """postBuild installs `helpers` from this folder and fetches nothing for it."""
    complaints, pins = [], pinned(binder)
    if not re.search(r"^python -m pip install --no-deps --no-build-isolation -e \.$", post_build, re.M):
        complaints.append("postBuild does not install `helpers` from this folder")
    for tool in map(Requirement, tomllib.loads(pyproject)["build-system"]["requires"]):
        version = pins.get(canonicalize_name(tool.name))
        if version is None or not tool.specifier.contains(version):
            complaints.append(f"{tool}: builds `helpers`, but Binder has {version}")
    return complaints


def landing_complaints(config: str, post_build: str, top: Path) -> list[str]:
    """A launch without ?labpath= opens the first notebook."""
    settings = json.loads(config)
    url = settings.get("LabApp", {}).get("default_url", "")
    complaints = []
    if set(settings) != {"LabApp"} or not set(settings["LabApp"]) <= set(LabApp.class_trait_names(config=True)):
        complaints.append("jupyter_lab_config.json sets something that JupyterLab does not know")
    if not url.startswith("/lab/tree/") or not (top / url.removeprefix("/lab/tree/")).is_file():
        complaints.append(f"the first page is {url!r}, and no notebook is there")
    if "binder/jupyter_lab_config.json" not in post_build:
        complaints.append("postBuild does not put jupyter_lab_config.json where JupyterLab reads it")
    return complaints


DIRECT = read("requirements.txt")
BINDER = read("binder/requirements.txt")
RUNTIME = read("binder/runtime.txt")
POST_BUILD = read("binder/postBuild")
CONFIG = read("binder/jupyter_lab_config.json")
PYPROJECT = read("pyproject.toml")


def test_binder_has_the_versions_of_requirements_txt():
    assert direct_complaints(DIRECT, BINDER) == []


def test_every_pin_is_exact():
    assert pin_complaints(BINDER) == []


def test_everything_needed_is_pinned():
    assert closure_complaints(DIRECT, BINDER, RUNTIME) == []


def test_python_fits():
    assert python_complaints(RUNTIME, PYPROJECT) == []


def test_helpers_are_installed():
    assert helpers_complaints(POST_BUILD, BINDER, PYPROJECT) == []


def test_binder_opens_the_first_notebook():
    assert landing_complaints(CONFIG, POST_BUILD, TOP) == []


# Small files without a fault, to be broken one line at a time.
GOOD_DIRECT = "# packages\ntorch==2.13.0  # tensors\nnbval==0.11.0\n-e .\n"
GOOD_BINDER = (
    f"# pins\n--extra-index-url {CPU_INDEX}\nnbval==0.11.0\nNumPy==2.4.6\nsetuptools==84.2.1\ntorch==2.13.0+cpu\n"
)


def test_good_files_have_no_complaints():
    assert pin_complaints(GOOD_BINDER) == []
    assert direct_complaints(GOOD_DIRECT, GOOD_BINDER) == []
    assert helpers_complaints(POST_BUILD, GOOD_BINDER, PYPROJECT) == []


def swap(pattern: str, replacement: str, text: str) -> str:
    """`text` with one line changed; the pattern must be there, or nothing would be broken."""
    changed, count = re.subn(pattern, replacement, text, count=1, flags=re.M)
    assert count == 1, f"nothing matches {pattern}"
    return changed


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        ("^NumPy==.*", "numpy>=2"),
        ("^NumPy==.*", "numpy==2.*"),
        ("^NumPy==.*", "numpy"),
        ("^NumPy==.*", "numpy==2.4.6; python_version > '3.10'"),
        ("^NumPy==.*", "numpy==2.4.6\nNumPy==2.4.5"),
        ("^NumPy==.*", "-e ."),
        ("^NumPy==.*", "-r ../requirements.txt"),
        ("^--extra-index-url .*", ""),
        ("^--extra-index-url .*", r"# \g<0>"),
        ("^--extra-index-url .*", "--extra-index-url https://download.pytorch.org/whl/cu130"),
    ],
)
def test_a_loose_pin_is_found(pattern: str, replacement: str):
    assert len(pin_complaints(swap(pattern, replacement, GOOD_BINDER))) >= 1


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        (r"^torch==.*", "torch==2.13.0"),  # the build with gigabytes of GPU libraries
        (r"^torch==.*", "torch==2.12.0+cpu"),
        (r"^nbval==.*", "nbval==0.10.0"),
        (r"^nbval==.*", ""),
    ],
)
def test_another_version_on_binder_is_found(pattern: str, replacement: str):
    assert len(direct_complaints(GOOD_DIRECT, swap(pattern, replacement, GOOD_BINDER))) == 1


@pytest.mark.parametrize("changed", ["nbval==0.12.0", "nbval>=0.11", "seaborn==0.13.2\nnbval==0.11.0"])
def test_a_change_of_requirements_txt_alone_is_found(changed: str):
    assert len(direct_complaints(swap("^nbval.*", changed, GOOD_DIRECT), GOOD_BINDER)) == 1


# Both are needed by packages that requirements.txt pins, so they are installed here at the very same version.
@pytest.mark.parametrize("name", ["numpy", "pytest"])
def test_a_missing_pin_is_found(name: str):
    broken = swap(f"^{name}==.*", "", BINDER)
    assert f"{name}: needed, but not pinned for Binder" in closure_complaints(DIRECT, broken, RUNTIME)


def test_closure_follows_extras_and_the_markers_of_binder():
    needs = {
        "a": ["b[fast]", "on-windows; sys_platform == 'win32'", "old; python_version < '3.11'"],
        "b": ["c; extra == 'fast'", "d; extra == 'slow'", "on-linux; platform_system == 'Linux'", "a"],
        "c": ["e>=2; python_version >= '3.11'"],
    }
    found = closure([Requirement("A==1")], {}, "3.11", lambda name, version: needs.get(name, []))
    assert found == {"a", "b", "c", "e", "on-linux"}


def test_what_another_version_needs_is_not_asked_for():
    assert installed_needs("matplotlib", metadata.version("matplotlib"))
    assert installed_needs("matplotlib", "1.0") == []
    assert installed_needs("a-package-that-is-not-here", "1.0") == []


@pytest.mark.parametrize("runtime", ["python-3.10\n", "python-3\n", "python-3.11.7\n", "3.11\n", "python 3.11\n", ""])
def test_a_wrong_python_is_found(runtime: str):
    assert python_complaints(runtime, PYPROJECT)


@pytest.mark.parametrize(
    "line", ["", "# python -m pip install --no-deps --no-build-isolation -e .", "pip install -e ."]
)
def test_missing_helpers_are_found(line: str):
    assert helpers_complaints(swap("^python -m pip .*", line, POST_BUILD), GOOD_BINDER, PYPROJECT)


@pytest.mark.parametrize("line", ["", "setuptools==60.0.0"])
def test_a_missing_build_tool_is_found(line: str):
    assert helpers_complaints(POST_BUILD, swap("^setuptools==.*", line, GOOD_BINDER), PYPROJECT)


def test_a_wrong_landing_page_is_found(tmp_path: Path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").touch()
    assert landing_complaints(CONFIG, POST_BUILD, tmp_path) == []
    assert landing_complaints(CONFIG.replace("00_", "09_"), POST_BUILD, tmp_path)
    assert landing_complaints(CONFIG.replace("default_url", "defaultUrl"), POST_BUILD, tmp_path)
    assert landing_complaints(CONFIG.replace("LabApp", "Lab"), POST_BUILD, tmp_path)
    assert landing_complaints(CONFIG, swap("^install .*", "", POST_BUILD), tmp_path)
