"""Binder builds what requirements.txt asks for: the same versions, all that they need, and `helpers`.

Each check takes the text of the files by name and yields complaints, so that it can be shown a broken file.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata

import pytest
from course import TOP, complain
from jupyterlab.labapp import LabApp
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
BINDER, RUNTIME = "binder/requirements.txt", "binder/runtime.txt"
POST_BUILD, CONFIG = "binder/postBuild", "binder/jupyter_lab_config.json"
FILES = {
    name: (TOP / name).read_text(encoding="utf-8")
    for name in ("requirements.txt", "pyproject.toml", BINDER, RUNTIME, POST_BUILD, CONFIG)
}

Files = dict[str, str]
Pins = dict[str, str | None]


def lines(text: str) -> list[str]:
    """The lines of a requirements file without comments and blank lines."""
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in lines(text) if not line.startswith("-")]


def pinned(text: str) -> Pins:
    """The one version of each package, or None where it is not the only one allowed."""
    found = {canonicalize_name(r.name): re.fullmatch(r"==([^*,]+)", str(r.specifier)) for r in requirements(text)}
    return {name: match and match[1] for name, match in found.items()}


def check_pins(files: Files) -> Iterator[str]:
    """Every line of Binder's file is another package at one exact version, or names the index of CPU builds."""
    given = lines(files[BINDER])
    if CPU_INDEX not in given:
        yield f"the index of CPU builds is missing: {CPU_INDEX}"
    seen = set()
    for line in given:
        name = canonicalize_name(line.partition("==")[0])
        if line != CPU_INDEX and not re.fullmatch(r"[\w.-]+==[\w.+]+", line):
            yield f"{line}: not of the form name==version"
        if name in seen:
            yield f"{line}: pinned twice"
        seen.add(name)


def check_versions(files: Files) -> Iterator[str]:
    """Every package of requirements.txt has the same version on Binder; torch has its CPU build."""
    pins = pinned(files[BINDER])
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


def closure(wanted: Iterable[Requirement], pins: Pins, python: str, needs: Callable = installed_needs) -> set[str]:
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
    match = re.fullmatch(r"python-(\d+\.\d+)\n", files[RUNTIME])
    return match and match[1]


def check_closure(files: Files) -> Iterator[str]:
    """Nothing is left for Binder to choose: all that the packages need is pinned too."""
    pins = pinned(files[BINDER])
    missing = closure(requirements(files["requirements.txt"]), pins, python_version(files) or "3.11") - set(pins)
    yield from (f"{name}: needed, but not pinned for Binder" for name in sorted(missing))


def check_helpers(files: Files) -> Iterator[str]:
    """postBuild installs `helpers` from this folder and fetches nothing for it; its Python is one that they run on."""
    if not re.search(r"^python -m pip install --no-deps --no-build-isolation -e \.$", files[POST_BUILD], re.M):
        yield "postBuild does not install `helpers` from this folder"
    pins, version = pinned(files[BINDER]), python_version(files)
    project = tomllib.loads(files["pyproject.toml"])
    pins["python"] = version and f"{version}.0"
    python = f"python{project['project']['requires-python']}"
    for need in map(Requirement, [python, *project["build-system"]["requires"], *project["project"]["dependencies"]]):
        version = pins.get(canonicalize_name(need.name))
        if version is None or not need.specifier.contains(version):
            yield f"{need}: `helpers` needs it, but Binder has {version}"


def check_landing(files: Files) -> Iterator[str]:
    """A launch without ?labpath= opens the first notebook."""
    settings = json.loads(files[CONFIG])
    url = settings.get("LabApp", {}).get("default_url", "")
    if set(settings) != {"LabApp"} or not set(settings["LabApp"]) <= set(LabApp.class_trait_names(config=True)):
        yield "jupyter_lab_config.json sets something that JupyterLab does not know"
    if not url.startswith("/lab/tree/") or not (TOP / url.removeprefix("/lab/tree/")).is_file():
        yield f"the first page is {url!r}, and no notebook is there"
    if f"install -D -m 644 {CONFIG} " not in files[POST_BUILD]:
        yield "postBuild does not put jupyter_lab_config.json where JupyterLab reads it"


CHECKS = [check_pins, check_versions, check_closure, check_helpers, check_landing]
BROKEN = [  # (check, file, what is replaced there, by what)
    *((check_pins, BINDER, "^numpy==", new) for new in ("numpy>=", "numpy[x]==", "-e ", "NumPy==2.4.5\nnumpy==")),
    (check_pins, BINDER, "^numpy==.*", "numpy==2.*"),
    (check_pins, BINDER, "^--extra-index-url .*", r"# \g<0>"),
    (check_pins, BINDER, "^--extra-index-url .*", "--extra-index-url https://download.pytorch.org/whl/cu130"),
    (check_versions, BINDER, r"^torch==(.*)\+cpu", r"torch==\1"),  # the build with gigabytes of GPU libraries
    (check_versions, BINDER, "^nbval==.*", "nbval==0.10.0"),
    (check_versions, BINDER, "^nbval==.*", ""),
    (check_versions, "requirements.txt", "^nbval==", "nbval>="),
    (check_versions, "requirements.txt", "^nbval.*", "seaborn==0.13.2\nnbval==0.11.0"),
    (check_closure, BINDER, "^pytest==.*", ""),  # needed by nbval, which is installed here at the very same version
    *((check_helpers, RUNTIME, "^python-.*\n", new) for new in ("python-3.10\n", "python-3.11.7\n", "3.11\n")),
    (check_helpers, POST_BUILD, "^python -m pip .*", r"# \g<0>"),
    (check_helpers, POST_BUILD, "^python -m pip .*", "pip install -e ."),
    (check_helpers, BINDER, "^hatchling==.*", ""),
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
    assert list(check(FILES | {name: changed}))


def test_closure_follows_extras_and_the_markers_of_binder():
    needs = {
        "a": ["b[fast]", "on-windows; sys_platform == 'win32'", "old; python_version < '3.11'"],
        "b": ["c; extra == 'fast'", "d; extra == 'slow'", "on-linux; platform_system == 'Linux'", "a"],
        "c": ["e>=2; python_version >= '3.11'"],
    }
    found = closure([Requirement("A==1")], {}, "3.11", lambda name, version: needs.get(name, []))
    assert found == {"a", "b", "c", "e", "on-linux"}
    assert installed_needs("matplotlib", metadata.version("matplotlib"))
    assert installed_needs("matplotlib", "1.0") == installed_needs("a-package-that-is-not-here", "1.0") == []
