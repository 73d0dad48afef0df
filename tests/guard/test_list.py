"""The signed list: what the bot writes the guard reads, and what is forged, old, or from the future changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from countersign_guard.app import read_settings
from countersign_guard.governed import Governed, NotValid, read_governed
from countersign_guard.keeping import Keeper, Source, read_keys, verified
from countersign_guard.routes import NotGuarded
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import OWN_TAGS, GovernedVersion, issued_after, statement_for
from bot.domain.model import Target, TargetKind
from tests.builders import a_rule
from tests.guard.guarded_server import TOKEN, StandIn, settings_of, standing_in, wait_until

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULE = a_rule(models="bike-*", target=Target(TargetKind.ALIAS, "champion"))
VERSION = GovernedVersion("default", "bike-demand", 7, "a" * 32, "models:/m-" + "b" * 32)


@pytest.fixture
def bot() -> Iterator[StandIn]:
    with standing_in() as bot:
        yield bot


def keeper_of(bot: StandIn, home: Path, now: datetime | None = None) -> Keeper:
    source = Source(bot.url, TOKEN, "default", read_keys(bot.pem))
    return Keeper(source, home, (lambda: now) if now else None)


def read(registry: str, *rules: object, versions: tuple[GovernedVersion, ...] = ()) -> Governed:
    return read_governed(payload_of(statement_for(registry, rules, versions, "https://bot/webhooks/mlflow", AT)))  # type: ignore[arg-type]


def test_the_guard_reads_what_the_bot_writes() -> None:
    found = read("default", RULE, versions=(VERSION,))

    assert (found.issued, found.expires) == (AT, AT + timedelta(hours=24))
    assert found.targets_of("default", "bike-demand")[0].name == "champion"
    assert not found.targets_of("team-b", "bike-demand")
    assert {version.number for one in found.by_id for version in found.made_by(one)} == {"7"}
    assert set(found.by_id) == {"a" * 32, "m-" + "b" * 32}
    assert found.tags == OWN_TAGS
    assert found.webhook == "https://bot/webhooks/mlflow"


def test_each_registry_gets_what_concerns_it_under_its_own_names() -> None:
    rule = a_rule(models="bike-*", workspace="eu/team-*", target=Target(TargetKind.ALIAS, "champion"))
    version = replace(VERSION, workspace="eu/team-a")

    theirs, default = read("eu", rule, versions=(version,)), read("default", rule, versions=(version,))

    assert theirs.targets_of("team-a", "bike-demand")
    assert [one.workspace for one in theirs.versions] == ["team-a"]
    assert (default.rules, default.versions) == ((), ())


def test_a_list_is_kept_for_when_the_bot_is_away(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE], [VERSION])
    keeper_of(bot, tmp_path).start()
    bot.answer = None

    later = keeper_of(bot, tmp_path)
    later.start()

    assert later.governed is not None
    assert later.governed.versions_of("default", "bike-demand")


def test_a_kept_list_that_is_no_text_stops_no_server(bot: StandIn, tmp_path: Path) -> None:
    (tmp_path / "governed-default.json").write_bytes(b"\xff\xfe")
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)

    keeper.start()

    assert keeper.governed is not None


def test_comments_between_and_after_the_keys_are_left_out(bot: StandIn) -> None:
    assert len(read_keys(f"# the old one\n{bot.pem}# the new one\n{StandIn().pem}# the end\n")) == 2


def test_a_process_that_was_forked_asks_on_its_own(bot: StandIn, tmp_path: Path) -> None:
    """`gunicorn --preload` loads the app before it makes its workers, and threads do not survive that."""
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)
    keeper.start()
    asked = bot.asked

    keeper._process = os.getpid() + 1  # as in a child

    assert keeper.governed is not None
    wait_until(lambda: bot.asked > asked)


def test_an_older_list_replaces_no_newer_one(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([])
    older = bot.answer
    bot.govern([RULE], [VERSION])
    keeper = keeper_of(bot, tmp_path)
    keeper.start()
    bot.answer = older

    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules


@pytest.mark.parametrize(("ahead", "is_used"), [(-60 * 24, True), (-5, True), (5, True), (6, False), (60, False)])
def test_the_bots_clock_may_be_a_few_minutes_ahead_of_the_servers(
    bot: StandIn, tmp_path: Path, ahead: int, is_used: bool
) -> None:
    """A list from further in the future could not be replaced by any that follows."""
    bot.issued = AT - timedelta(seconds=1)
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path, AT - timedelta(minutes=ahead))

    keeper.ask()

    assert (keeper.governed is not None) == is_used


def test_a_server_whose_clock_goes_back_keeps_its_list(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)
    keeper.ask()
    keeper.now = lambda: AT - timedelta(days=365)
    bot.govern([])

    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules


def test_an_older_list_is_named_as_why_the_list_was_not_renewed(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([])
    older = bot.answer
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)
    keeper.ask()
    bot.answer = older

    keeper.ask()

    assert "before the one in use" in keeper.trouble


def test_a_list_that_a_clock_has_left_in_the_future_gives_way_to_the_next(bot: StandIn, tmp_path: Path) -> None:
    bot.issued = AT
    bot.govern([])
    keeper = keeper_of(bot, tmp_path, AT)
    keeper.ask()
    back = timedelta(minutes=10)
    keeper.now, bot.issued = (lambda: AT - back), AT - back
    bot.govern([RULE])

    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules
    assert keeper.trouble == ""


@pytest.mark.parametrize("back", [1, 4, 5, 6, 60, 60 * 24])
def test_however_far_the_clock_goes_back_the_next_list_of_the_bot_is_used(
    bot: StandIn, tmp_path: Path, back: int
) -> None:
    bot.issued = AT
    bot.govern([])
    keeper = keeper_of(bot, tmp_path, bot.issued)
    keeper.ask()
    now = bot.issued - timedelta(minutes=back)
    keeper.now = lambda: now
    bot.issued = issued_after(bot.issued, now) - timedelta(seconds=1)
    bot.govern([RULE])

    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules


def test_an_expired_list_goes_on_refusing(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path, datetime.now(UTC) + timedelta(days=30))

    keeper.start()

    assert keeper.governed is not None
    assert keeper.governed.covers("default", "bike-demand")


def test_a_list_for_another_registry_is_not_used(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE], [VERSION])
    keeper = Keeper(Source(bot.url, TOKEN, "eu", read_keys(bot.pem)), tmp_path)

    with pytest.raises(NotValid, match='about the registry "default" and this server is "eu"'):
        keeper.take(bot.answer or "")


def test_the_guard_asks_again_when_the_bot_will_have_a_newer_list(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)

    bot.retry_after = "2"
    soon = keeper.ask()
    bot.retry_after = ""

    assert (soon, keeper.ask()) == (2.0, 15.0)


def test_whatever_is_sent_the_guard_goes_on_asking(bot: StandIn, tmp_path: Path) -> None:
    bot.govern([RULE])
    keeper = keeper_of(bot, tmp_path)
    keeper.ask()
    bot.answer = "[" * 200_000

    keeper.ask()
    bot.answer = bot.sign(b"[" * 200_000)
    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules


def tampered(envelope: str) -> dict[str, str]:
    said = json.loads(envelope)
    other = StandIn(key=Ed25519PrivateKey.generate())
    other.govern([])
    return {
        "another key": other.answer or "",
        "no signature": json.dumps(said | {"signatures": []}),
        "another text": json.dumps(said | {"payload": json.loads(other.answer or "")["payload"]}),
        "another kind": json.dumps(said | {"payloadType": "text/plain"}),
        "no JSON": envelope[:-1],
        "a list": "[]",
        "nothing": "",
    }


@pytest.mark.parametrize(
    "how", ["another key", "no signature", "another text", "another kind", "no JSON", "a list", "nothing"]
)
def test_a_forged_list_changes_nothing(bot: StandIn, tmp_path: Path, how: str) -> None:
    bot.govern([RULE], [VERSION])
    keeper = keeper_of(bot, tmp_path)
    keeper.start()
    bot.govern([])
    bot.answer = tampered(bot.answer or "")[how]

    keeper.ask()

    assert keeper.governed is not None
    assert keeper.governed.rules
    assert "bike" in (tmp_path / "governed-default.json").read_text() or keeper.governed.versions


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_signed_is_a_list_or_not_valid(content: object) -> None:
    try:
        read_governed(json.dumps(content).encode())
    except NotValid:
        pass
    else:
        pytest.fail("this is no list")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_is_sent_is_an_envelope_or_not_valid(content: bytes) -> None:
    with pytest.raises(NotValid):
        verified(content.decode(errors="replace"), read_keys(StandIn().pem))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"COUNTERSIGN_URL": ""}, "set COUNTERSIGN_URL"),
        ({"COUNTERSIGN_GUARD_SECRET": "short"}, "fewer than 32"),
        ({"COUNTERSIGN_GUARD_KEYS": "/nowhere"}, "COUNTERSIGN_GUARD_KEYS=/nowhere"),
        ({"COUNTERSIGN_GUARD_EVERY": "soon"}, "COUNTERSIGN_GUARD_EVERY=soon"),
        ({"COUNTERSIGN_GUARD_EVERY": "nan"}, "COUNTERSIGN_GUARD_EVERY=nan"),
    ],
)
def test_a_wrong_setting_stops_the_server_with_what_to_do(
    bot: StandIn, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(NotGuarded, match=said):
        read_settings(settings_of(bot, tmp_path) | changes)
