"""Binder builds what requirements.txt asks for: the same versions, all that they need, and `helpers`.

Each check takes the text of the files by name and yields complaints, so that it can be shown a broken file.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from course import TOP, complain
from jupyterlab.labapp import LabApp
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
NAMES = ["requirements.txt", "pyproject.toml"]
NAMES += [f"binder/{name}" for name in ("requirements.txt", "runtime.txt", "postBuild", "jupyter_lab_config.json")]
FILES = {name: (TOP / name).read_text(encoding="utf-8") for name in NAMES}

Files = dict[str, str]


def lines(text: str) -> list[str]:
    """The lines of a requirements file without comments and blank lines."""
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in lines(text) if not line.startswith("-")]


def exact_version(requirement: Requirement) -> str | None:
    """The one version that the requirement allows, or None."""
    found = re.fullmatch(r"==([^*,]+)", str(requirement.specifier))
    return found and found[1]


def pinned(text: str) -> dict[str, str | None]:
    return {canonicalize_name(r.name): exact_version(r) for r in requirements(text)}


def check_pins(files: Files) -> Iterator[str]:
    """Every line of Binder's file is a package at one exact version, or names the index of CPU builds."""
    seen = set()
    for line in lines(files["binder/requirements.txt"]):
        if line == CPU_INDEX:
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            yield f"{line}: neither a package nor the index of CPU builds"
            continue
        if exact_version(requirement) is None or requirement.marker or requirement.extras:
            yield f"{line}: not of the form name==version"
        if canonicalize_name(requirement.name) in seen:
            yield f"{line}: pinned twice"
        seen.add(canonicalize_name(requirement.name))
    if CPU_INDEX not in lines(files["binder/requirements.txt"]):
        yield f"the index of CPU builds is missing: {CPU_INDEX}"


def check_versions(files: Files) -> Iterator[str]:
    """Every package of requirements.txt has the same version on Binder; torch has its CPU build."""
    pins = pinned(files["binder/requirements.txt"])
    for name, version in pinned(files["requirements.txt"]).items():
        wanted = f"{version}+cpu" if name == "torch" else version
        if version is None or pins.get(name) != wanted:
            yield f"{name}: requirements.txt has {version}, Binder {pins.get(name)} instead of {wanted}"


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
    binder = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    binder |= {"platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}
    binder |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    waiting, seen = list(wanted), set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), {"", *requirement.extras}
        if (name, *sorted(extras)) in seen:
            continue
        seen.add((name, *sorted(extras)))
        for needed in map(Requirement, needs(name, pins.get(name))):
            if not needed.marker or any(needed.marker.evaluate(binder | {"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name, *_ in seen}


def python_version(files: Files) -> str | None:
    """The X.Y of runtime.txt, or None when it does not read python-X.Y, the one form that Binder takes."""
    match = re.fullmatch(r"python-(\d+\.\d+)\n", files["binder/runtime.txt"])
    return match and match[1]


def check_closure(files: Files) -> Iterator[str]:
    """Nothing is left for Binder to choose: all that the packages need is pinned too."""
    pins = pinned(files["binder/requirements.txt"])
    missing = closure(requirements(files["requirements.txt"]), pins, python_version(files) or "3.11") - set(pins)
    yield from (f"{name}: needed, but not pinned for Binder" for name in sorted(missing))


def check_python(files: Files) -> Iterator[str]:
    version = python_version(files)
    wanted = SpecifierSet(tomllib.loads(files["pyproject.toml"])["project"]["requires-python"])
    if version is None or not wanted.contains(f"{version}.0"):
        yield f"runtime.txt must read python-X.Y with an X.Y {wanted}, but it is {files['binder/runtime.txt']!r}"


def check_helpers(files: Files) -> Iterator[str]:
    """postBuild installs `helpers` from this folder and fetches nothing for it."""
    pins = pinned(files["binder/requirements.txt"])
    if not re.search(r"^python -m pip install --no-deps --no-build-isolation -e \.$", files["binder/postBuild"], re.M):
        yield "postBuild does not install `helpers` from this folder"
    project = tomllib.loads(files["pyproject.toml"])
    for need in map(Requirement, project["build-system"]["requires"] + project["project"]["dependencies"]):
        version = pins.get(canonicalize_name(need.name))
        if version is None or not need.specifier.contains(version):
            yield f"{need}: `helpers` needs it, but Binder has {version}"


def check_landing(files: Files, top: Path = TOP) -> Iterator[str]:
    """A launch without ?labpath= opens the first notebook."""
    settings = json.loads(files["binder/jupyter_lab_config.json"])
    url = settings.get("LabApp", {}).get("default_url", "")
    if set(settings) != {"LabApp"} or not set(settings["LabApp"]) <= set(LabApp.class_trait_names(config=True)):
        yield "jupyter_lab_config.json sets something that JupyterLab does not know"
    if not url.startswith("/lab/tree/") or not (top / url.removeprefix("/lab/tree/")).is_file():
        yield f"the first page is {url!r}, and no notebook is there"
    if "binder/jupyter_lab_config.json" not in files["binder/postBuild"]:
        yield "postBuild does not put jupyter_lab_config.json where JupyterLab reads it"


CHECKS = [check_pins, check_versions, check_closure, check_python, check_helpers, check_landing]
BINDER, RUNTIME, POST_BUILD, CONFIG = NAMES[2:]
BROKEN = [  # (check, file, what is replaced there, by what)
    *(
        (check_pins, BINDER, "^numpy==.*", new)
        for new in ("numpy>=2", "numpy==2.*", "numpy", "numpy==2.4.6; python_version > '3.10'", "-e .")
    ),
    (check_pins, BINDER, "^numpy==.*", "numpy==2.4.6\nNumPy==2.4.5"),
    (check_pins, BINDER, "^numpy==.*", "-r ../requirements.txt"),
    (check_pins, BINDER, "^--extra-index-url .*", ""),
    (check_pins, BINDER, "^--extra-index-url .*", r"# \g<0>"),
    (check_pins, BINDER, "^--extra-index-url .*", "--extra-index-url https://download.pytorch.org/whl/cu130"),
    (check_versions, BINDER, r"^torch==(.*)\+cpu", r"torch==\1"),  # the build with gigabytes of GPU libraries
    (check_versions, BINDER, "^torch==.*", "torch==2.12.0+cpu"),
    (check_versions, BINDER, "^nbval==.*", "nbval==0.10.0"),
    (check_versions, BINDER, "^nbval==.*", ""),
    *(
        (check_versions, "requirements.txt", "^nbval.*", new)
        for new in ("nbval==0.12.0", "nbval>=0.11", "seaborn==0.13.2\nnbval==0.11.0")
    ),
    # Both are needed by packages that requirements.txt pins, so they are installed here at the very same version.
    (check_closure, BINDER, "^numpy==.*", ""),
    (check_closure, BINDER, "^pytest==.*", ""),
    *(
        (check_python, RUNTIME, "^python-.*\n", new)
        for new in ("python-3.10\n", "python-3\n", "python-3.11.7\n", "3.11\n", "python 3.11\n", "")
    ),
    (check_helpers, POST_BUILD, "^python -m pip .*", ""),
    (check_helpers, POST_BUILD, "^python -m pip .*", r"# \g<0>"),
    (check_helpers, POST_BUILD, "^python -m pip .*", "pip install -e ."),
    (check_helpers, BINDER, "^hatchling==.*", ""),
    (check_helpers, BINDER, "^hatchling==.*", "hatchling==1.20.0"),
    (check_helpers, BINDER, "^word-text-counter==.*", "word-text-counter==0.2.0"),
    (check_landing, CONFIG, "00_", "09_"),
    (check_landing, CONFIG, "default_url", "defaultUrl"),
    (check_landing, CONFIG, "LabApp", "Lab"),
    (check_landing, POST_BUILD, "^install .*", ""),
]


@pytest.mark.parametrize("check", CHECKS)
def test_binder_builds_the_course(check):
    complain(list(check(FILES)))


@pytest.mark.parametrize("check, name, old, new", BROKEN)
def test_a_broken_file_is_found(check, name: str, old: str, new: str):
    changed, count = re.subn(old, new, FILES[name], count=1, flags=re.M)
    assert count == 1, f"nothing matches {old}"
    assert len(list(check(FILES | {name: changed}))) in (1, 2)


def test_every_check_is_shown_a_broken_file():
    assert {check for check, *_ in BROKEN} == set(CHECKS)


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
