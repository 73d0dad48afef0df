"""What a check of the lineage found: whether it passed, and a sentence for the ledger, which is in English."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bot.domain.evidence.dvc_lock import Lock
from bot.domain.evidence.lineage import Provenance
from bot.domain.evidence.training_commands import Commands
from bot.language import recorded

SHOWN = 4

Found = tuple[bool, str]


def no(sentence: str) -> Found:
    """It failed; the sentence says what is wrong, why it matters, and how to fix it."""
    return False, sentence


def unchecked(what: str) -> Found:
    return False, recorded("lineage", "not checked: {why}", why=what)


def register(provenance: Provenance) -> str:
    commands = Commands.beside(provenance.lock_path)
    return recorded("lineage", "register it with {command}{where}", command=commands.register, where=commands.where)


def train_again(provenance: Provenance) -> str:
    lock = provenance.lock or Lock(())
    commands = Commands.beside(provenance.lock_path, lock.frozen_writers(run_file_md5(provenance)))
    return recorded(
        "lineage",
        "run {commands}, commit{where}, and register the new run",
        commands=commands.train_again,
        where=commands.where,
    )


def run_file_md5(provenance: Provenance) -> str:
    text = provenance.files.run_file
    return "" if text is None else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def short_run(provenance: Provenance) -> str:
    return provenance.run.id[:8] if provenance.run else "none"


def some_of(items: Iterable[str], between: str = ", ") -> str:
    """As many items as fit a sentence; untrusted text is cut."""
    all_of_them = [item if len(item) <= 80 else f"{item[:79]}…" for item in items]
    shown, more = between.join(all_of_them[:SHOWN]), len(all_of_them) - SHOWN
    return recorded("lineage", "{items} and {count} more", items=shown, count=more) if more > 0 else shown
