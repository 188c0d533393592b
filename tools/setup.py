# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the checkout ready to run: `.venv` with pinned packages, `.cache/tree` with the collections.

Needs nothing but Python 3.11 or newer with venv, and does nothing when nothing changed. Nothing has to be activated
or exported afterwards: `.venv/bin/ansible-playbook` finds its collections by ansible.cfg.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pip_config

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
COLLECTIONS = CACHE / "tree" / "ansible_collections"
# What each module of a run imports again, as a process of its own.
IMPORTED = ("ansible", "boto3", "botocore", "s3transfer", "urllib3", "jinja2", "yaml")
UNPACKED = ("amazon/aws", "community/aws", "awx/awx")
STAMP = CACHE / "setup.stamp"


class SetupError(Exception):
    """A sentence that says what was tried and what to do."""


def main() -> int:
    CACHE.mkdir(exist_ok=True)
    try:
        with alone():
            if STAMP.is_file() and STAMP.read_text() == fingerprint() and complete():
                return 0
            STAMP.unlink(missing_ok=True)
            make_venv()
            install_packages()
            unpack_collections()
            compile_packages()
            link_checkout()
            put_tests_on_path()
            STAMP.write_text(fingerprint())
    except SetupError as error:
        print(f"make setup failed: {error}", file=sys.stderr)
        return 1
    print("set-up: done, .venv and .cache/tree are ready")
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """Two set-ups in one checkout would unpack over each other: the second waits."""
    with (CACHE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """Differs when a requirement, this script or the checkout's place changed: the venv's scripts hold its path."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (Path(__file__), *sorted(REQUIREMENTS.glob("*.txt"))):
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()}\n"


def complete() -> bool:
    links = [COLLECTIONS / name / "MANIFEST.json" for name in UNPACKED] + [COLLECTIONS / "wwhd/qdrant_ops/galaxy.yml"]
    return (VENV / "bin/ansible-playbook").exists() and all(link.is_file() for link in links)


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> None:
    subprocess.run([str(part) for part in command], check=True, env=None if env is None else {**os.environ, **env})


def make_venv() -> None:
    config = VENV / "pyvenv.cfg"
    if config.is_file() and f"{VENV}\n" in config.read_text().replace("'", "") and works(PYTHON):
        return
    print(f"set-up: a virtual environment from Python {sys.version.split()[0]}", flush=True)
    try:
        # From the interpreter itself, not from a version manager's shim, which needs that manager's environment.
        run(os.path.realpath(sys.executable), "-m", "venv", "--clear", VENV)
    except subprocess.CalledProcessError as error:
        raise SetupError(
            f"{sys.executable} -m venv ended with code {error.returncode}. On Debian and Ubuntu, install python3-venv; "
            "or name another interpreter: make setup PYTHON=/path/to/python3.11"
        ) from error


def works(python: Path) -> bool:
    """Whether this interpreter starts and has a pip of its own."""
    return python.exists() and subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL) == 0


def install_packages() -> None:
    print("set-up: packages from requirements/dev.txt", flush=True)
    wanted = ("-r", REQUIREMENTS / "dev.txt", "-c", REQUIREMENTS / "lock.txt")
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
    try:
        run(*pip, "install", "--quiet", "-r", REQUIREMENTS / "uv.txt")
        run(VENV / "bin/uv", "pip", "install", "--quiet", "--python", PYTHON, *wanted, env=uv_environment())
        return
    except (subprocess.CalledProcessError, OSError):
        print("set-up: uv could not do it; going on with pip, which takes longer", flush=True)
    try:
        run(*pip, "install", "--quiet", *wanted)
    except subprocess.CalledProcessError as error:
        raise SetupError(
            "pip could not install requirements/dev.txt; its own message is above. Check the network, or the package "
            "index in pip's configuration (pip config list), and run make setup again"
        ) from error


def compile_packages() -> None:
    """uv leaves that to the first import, which may not write where PYTHONDONTWRITEBYTECODE is set, as in images of
    Python: each module would then take half a second longer. It is no more than time, so a failure is none."""
    folders = [*VENV.glob("lib/python*/site-packages"), VENV / "Lib" / "site-packages"]
    packages = [folder / name for folder in folders for name in IMPORTED if (folder / name).is_dir()]
    unpacked = [COLLECTIONS / name for name in UNPACKED if (COLLECTIONS / name).is_dir()]
    subprocess.call([PYTHON, "-m", "compileall", "-qq", "-j", "0", *packages, *unpacked])


def uv_environment() -> dict[str, str]:
    """What pip is configured to use, in uv's words: uv does not read pip's files. What UV_* says already stays."""
    env = pip_config.as_uv_environment(pip_config.read(PYTHON))
    return {name: value for name, value in env.items() if name not in os.environ} | {"VIRTUAL_ENV": str(VENV)}


def unpack_collections() -> None:
    wheel = download_wheel()
    done = COLLECTIONS.parent / "unpacked.txt"
    if done.is_file() and done.read_text() == wheel.name and all((COLLECTIONS / name).is_dir() for name in UNPACKED):
        return
    print(f"set-up: {' and '.join(UNPACKED)} from {wheel.name}", flush=True)
    COLLECTIONS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch, zipfile.ZipFile(wheel) as archive:
        prefixes = tuple(f"ansible_collections/{name}/" for name in UNPACKED)
        archive.extractall(scratch, [name for name in archive.namelist() if name.startswith(prefixes)])
        for name in UNPACKED:
            place = COLLECTIONS / name
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(exist_ok=True)
            (Path(scratch) / "ansible_collections" / name).rename(place)
    done.write_text(wheel.name)


def download_wheel() -> Path:
    wheels = CACHE / "wheels"
    pin = next(line.strip() for line in (REQUIREMENTS / "collections.txt").read_text().splitlines() if "==" in line)
    name, version = pin.split("==")
    pattern = f"{name}-{version}-*.whl"
    if not list(wheels.glob(pattern)):
        print(f"set-up: the wheel of {pin}, 54 MB, once", flush=True)
        try:
            run(PYTHON, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
                "--only-binary", ":all:", "--dest", wheels, pin)  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise SetupError(f"pip could not download {pin}; its own message is above. Run make setup again") from error
    return next(wheels.glob(pattern))


def link_checkout() -> None:
    link = COLLECTIONS / "wwhd" / "qdrant_ops"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    # Relative, so that the tree still holds where the checkout is mounted elsewhere.
    link.symlink_to(os.path.relpath(ROOT, link.parent))


def put_tests_on_path() -> None:
    """`python -m sandbox` must work from anywhere with this venv's Python."""
    where = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (Path(where) / "sandbox.pth").write_text(f"{ROOT / 'tests'}\n")


if __name__ == "__main__":
    sys.exit(main())
