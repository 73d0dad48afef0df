"""Renders a document as PDF in a separate process, with a time limit. Its memory is freed when it ends.

The process runs in the template's directory and reads nothing outside it. It has no network and no local Typst packages. Otherwise a
template could start downloads while the digest waits, or look different on another machine.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.errors import Permanent, Temporary, TypstFailed
from bot.reports.typst_main import REFUSED

# -P: this folder has modules with the names of standard library modules.
TYPESETTER = (sys.executable, "-P", str(Path(__file__).with_name("typst_main.py")))
NOWHERE = "http://127.0.0.1:0"
NO_PACKAGES = os.devnull
LONGEST = 120.0  # seconds; a large report takes one
FONTS = "mpl-data/fonts/ttf"  # matplotlib ships DejaVu, so the report looks the same on every machine


@dataclass(frozen=True)
class Task:
    """`inputs` are the texts in the template's `sys.inputs`."""

    template: Path
    inputs: Mapping[str, str]
    at: datetime


def set_pdf(task: Task) -> bytes:
    """A PDF/UA-1 file; the same task and fonts give the same bytes. Raises TypstFailed, or Temporary without an answer."""
    said = {
        "template": task.template.name,
        "packages": NO_PACKAGES,
        "fonts": str(fonts()),
        "inputs": dict(task.inputs),
        "at": task.at.isoformat(),
    }
    done = _run(json.dumps(said).encode(), task.template)
    if done.returncode == REFUSED:
        refusal = json.loads(done.stdout)
        raise TypstFailed(refusal["message"], refusal["diagnostic"])
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Temporary(f"setting the report with {task.template} ended with {done.returncode}: {last or 'no word'}")
    return done.stdout


def fonts() -> Path:
    """Locates matplotlib's fonts without importing it, which would take half a second."""
    spec = importlib.util.find_spec("matplotlib")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise Permanent(
            "matplotlib is not installed, and its letters are those of the report. Install Countersign again"
        )
    return Path(folders[0]) / FONTS


def _run(task: bytes, template: Path) -> subprocess.CompletedProcess[bytes]:
    offline = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    offline |= {"https_proxy": NOWHERE}
    try:
        return subprocess.run(
            TYPESETTER,
            input=task,
            capture_output=True,
            timeout=LONGEST,
            check=False,
            cwd=template.parent,
            env=offline,
        )
    except subprocess.TimeoutExpired:
        raise Temporary(
            f"setting the report with {template} took longer than {LONGEST:.0f} s and was stopped"
        ) from None
