"""Why a run cannot be registered: each finding says what is wrong, why it matters, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass

AGAIN = "commit what it leaves, push, and register again"
RETRAIN = f"run `dvc repro --force`, {AGAIN}"


@dataclass(frozen=True)
class Finding:
    """`part` names the subject in a word or two. A finding that does not refuse is recorded with the run as missing."""

    part: str
    sentence: str
    refuses: bool = True


def finding(part: str, wrong: str, why: str, fix: str, *, refuses: bool = True) -> Finding:
    return Finding(part, f"{wrong}. {why}. Fix: {fix}.", refuses)
