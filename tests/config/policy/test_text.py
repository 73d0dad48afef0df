"""The policy as a file and as any text: reading it ends in a Policy or in PolicyMistakes, and in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.policy.changes import digest_of
from bot.domain.policy.rules import Policy
from config.policy import PolicyMistakes, notices, policy_text_of, read_policy
from tests.builders.policies import FULL, SMALL


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"

    with pytest.raises(PolicyMistakes, match=r"policy.yaml: There is no such file. Point COUNTERSIGN_POLICY at"):
        policy_text_of(path)


def test_a_directory_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyMistakes, match=r"The file cannot be read: Is a directory\."):
        policy_text_of(tmp_path)


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes("version: 1\npeople: [{name: José}]\n".encode("latin-1"))

    with pytest.raises(PolicyMistakes, match=r"policy.yaml line 2: This line is not UTF-8\."):
        policy_text_of(path)


def test_the_digest_names_the_very_text() -> None:
    assert digest_of("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_of(SMALL) != digest_of(SMALL + "\n")


KEYS = "version poll people groups rules models target ask_on notify ticket approve all_of group quorum alias stage tag model slack"
NEWER_KEYS = "calendar timezone days hours holidays freezes deny allow from until escalate after fast_track mode metrics threshold require"
VALUES = "leads ana@example.com 3d 1 champion #m {name} [key] * yes ~ 0b_ 2024-13-45 2026-02-30 24:00 .inf 1e999 -1 off Europe/Rome"
WORDS = st.sampled_from([*KEYS.split(), *NEWER_KEYS.split(), *VALUES.split(), "", "a\nb", "\u202e"])
LEAVES = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=15
)


def is_judged(text: str) -> bool:
    """Any text gives a Policy or PolicyMistakes with something to say; any other exception fails the test."""
    try:
        return isinstance(read_policy(text), Policy) and all(notice.sentence for notice in notices(text))
    except PolicyMistakes as mistakes:
        return len(str(mistakes).splitlines()) == len(mistakes.mistakes) > 0


@given(st.text())
@example("? - - a")
@example("%YAML " + "9" * 5000 + ".0\n---\n")
@example('"\\UFFFFFFFF"')
@example("a: 0b_")
@example("<<: 3")
@example("'[key]': version")
@example("\ud800")
def test_any_text_is_read_or_refused(text: str) -> None:
    assert is_judged(text)


@given(TREES)
def test_any_yaml_is_read_or_refused(tree: object) -> None:
    assert is_judged(yaml.safe_dump(tree, allow_unicode=True))


@pytest.mark.parametrize("good", [SMALL, FULL], ids=["small", "full"])
@given(data=st.data())
def test_any_slip_in_a_good_policy_is_read_or_refused(good: str, data: st.DataObject) -> None:
    lines = good.splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[place])))
    slip = data.draw(WORDS | st.text(max_size=5))
    cut = data.draw(st.integers(0, 12))
    lines[place] = lines[place][:column] + slip + lines[place][column + cut :]

    assert is_judged("\n".join(lines))


@given(st.fixed_dictionaries({"version": st.just(1), "groups": TREES, "rules": st.lists(TREES, max_size=3)}))
def test_any_groups_and_rules_are_read_or_refused(tree: object) -> None:
    assert is_judged(yaml.safe_dump(tree))


SECTIONS = st.fixed_dictionaries(
    {}, optional={"calendar": TREES, "freezes": TREES, "artifact_stores": TREES, "poll": TREES}
)
TRACKS = st.fixed_dictionaries(
    {"mode": LEAVES, "metrics": TREES}, optional={"require": TREES, "sample_to_people": LEAVES}
)


@given(SECTIONS, TRACKS)
def test_any_calendar_freeze_and_fast_track_is_read_or_refused(sections: dict[str, object], track: object) -> None:
    policy = yaml.safe_load(SMALL) | sections
    policy["rules"][0]["fast_track"] = track

    assert is_judged(yaml.safe_dump(policy))
