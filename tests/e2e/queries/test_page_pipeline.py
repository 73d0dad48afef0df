"""The page shows the pipeline that a worker read; the web process opens no file of a run and parses no YAML."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from bot import untrusted_yaml
from bot.links import Links
from tests.fixtures.installation import Installation
from tests.fixtures.version_page import served_pages
from tests.fuzz.seeds import LOCK

HOSTILE = "stages: [" + "[a, " * 20_000


@contextmanager
def yaml_parsed() -> Iterator[list[str]]:
    """The names of the functions of PyYAML's loader that are entered meanwhile, in all threads of this process."""
    entered: list[str] = []

    def note(frame: object, event: str, _: object) -> None:
        code = getattr(frame, "f_code", None)
        if event == "call" and code is untrusted_yaml.load.__code__:
            entered.append(code.co_name)

    threading.setprofile(note)  # type: ignore[arg-type]
    sys.setprofile(note)  # type: ignore[arg-type]
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


@pytest.fixture
def open_pages(installation: Installation) -> Iterator[Links]:
    with served_pages(installation) as links:
        yield links


def page_of(installation: Installation, links: Links, version: int) -> dict[str, object]:
    link = links.to_version(installation.model, version, installation.clock.now()) + "&as=json"
    return dict(json.loads(requests.get(link, timeout=60).text)["description"]["pipeline"])


def registered_with(installation: Installation, lock: str) -> int:
    version = installation.register()
    installation.mlflow.log_text(installation.run_of(version), lock, "lineage/dvc.lock")
    return version


def test_the_page_shows_what_a_worker_read_when_the_evidence_was_frozen(
    installation: Installation,
    open_pages: Links,
) -> None:
    version = registered_with(installation, LOCK)
    installation.asked(version)

    with yaml_parsed() as entered:
        shown = page_of(installation, open_pages, version)

    assert shown["edges"] == [["data/raw.csv", "train"]]
    assert shown["unread"] == ""
    assert entered == []


@pytest.mark.parametrize(
    ("lock", "said"), [(HOSTILE, "is not YAML as DVC writes it"), ("a: " + "x" * 300_000, "is larger than 256 KiB")]
)
def test_a_hostile_lock_is_named_and_not_parsed_by_the_web_process(
    installation: Installation,
    open_pages: Links,
    lock: str,
    said: str,
) -> None:
    version = registered_with(installation, lock)
    installation.asked(version)

    with yaml_parsed() as entered:
        shown = page_of(installation, open_pages, version)

    assert said in str(shown["unread"])
    assert entered == []


def test_a_pipeline_that_was_not_kept_is_named_with_the_command_that_reads_it(
    installation: Installation,
    open_pages: Links,
) -> None:
    """As for evidence that an earlier release froze."""
    version = registered_with(installation, LOCK)
    installation.asked(version)
    with installation.s.store.transaction() as tx:
        tx.connection.exec_driver_sql("delete from pipelines")

    shown = page_of(installation, open_pages, version)

    assert "countersign describe" in str(shown["unread"])
