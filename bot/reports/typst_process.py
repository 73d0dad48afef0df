"""Has a document set as PDF in a process of its own, which takes its memory with it when it ends, and may not take for ever.

It works in the template's directory and reads nothing outside it. Its way to the network leads nowhere, and it knows no packages of the
machine: else a template would have things fetched while the digest waits, or look another way on the next machine.
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

# -P: beside the program lie modules whose names are those of Python's own.
TYPESETTER = (sys.executable, "-P", str(Path(__file__).with_name("typst_main.py")))
NOWHERE = "http://127.0.0.1:0"
NO_PACKAGES = os.devnull
LONGEST = 120.0  # seconds; a crowded report takes one
FONTS = "mpl-data/fonts/ttf"  # matplotlib brings DejaVu, so that the report looks the same on every machine


@dataclass(frozen=True)
class Task:
    """`inputs` are the texts that the template finds in `sys.inputs`."""

    template: Path
    inputs: Mapping[str, str]
    at: datetime


def set_pdf(task: Task) -> bytes:
    """Accessible by PDF/UA-1, and the same bytes for the same task and fonts. Raises TypstFailed, or Temporary when there was no answer."""
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
    """Found without the half second that importing matplotlib takes."""
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
