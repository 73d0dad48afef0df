"""Signing in to the pages with Slack: who gets in, for how long, and what is said to everyone else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from bot.app import flask_app
from bot.sandbox.serving import serving
from bot.sandbox.slack.openid import OpenId
from bot.store import tables
from handlers.doors.readers import IDLE, LONGEST, SKEW, UNCHECKED
from handlers.doors.sign_in import COOKIE, Attempt, own_page
from tests.fixtures.installation import Installation, installation_on
from tests.fixtures.readers import ReadersBrowser
from tests.fixtures.reading import NO_REGISTRY, reading_room

PAGES = ("/search", "/models", "/models/bike", "/requests/0123456789abcdef", "/ledger", "/digests", "/models/bike/1")


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with reading_room(database_url, tmp_path) as office:
        yield office


@pytest.fixture
def browser_of(office: Installation) -> Iterator[Callable[[], ReadersBrowser]]:
    opened: list[ReadersBrowser] = []

    def another() -> ReadersBrowser:
        opened.append(ReadersBrowser(office))
        return opened[-1]

    yield another
    for one in opened:
        one.close()


def test_a_reader_signs_in_comes_back_to_the_page_and_signs_out(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    browser, wanted = browser_of(), "/search?q=v2"
    refused = [browser.open(page) for page in PAGES]

    back = browser.sign_in("ana", wanted)
    found = browser.open(wanted)
    cookie = back.headers["Set-Cookie"]
    with office.s.store.transaction() as tx:
        kept = tx.connection.execute(sa.select(tables.web_sessions)).one()
    out = browser.submit("/sign-out", {"form_key": browser.form_key()})

    assert {answer.status_code for answer in refused} == {401, 403}  # 403: a version's page without a link
    assert all("Sign in with Slack" in answer.text for answer in refused)
    assert (back.status_code, back.headers["Location"]) == (303, wanted)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert (found.status_code, "Ana Ruiz" in found.text) == (200, True)
    assert browser.cookies.get("countersign") not in tuple(kept)
    assert out.status_code == 303
    assert browser.open(wanted).status_code == 401


def test_a_session_is_shared_by_web_processes_and_ends_when_idle_or_old(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    browser = browser_of()
    browser.sign_in("ana")
    with serving(flask_app(office.s, office.settings, office.settings.database_url.get_secret_value())) as other:
        port = f"{urlsplit(other).port}"
        browser.cookies.set("countersign", browser.cookies["countersign"], domain="127.0.0.1")
        shared = browser.open(f"http://127.0.0.1:{port}/ledger")

    steps = [browser.open("/ledger") for _ in range(3) if not forward(office, IDLE - timedelta(minutes=1))]
    forward(office, IDLE)
    idle = browser.open("/ledger?before=3")
    browser.sign_in("ana")
    while office.clock.ahead < IDLE * 3 + LONGEST + IDLE:
        forward(office, IDLE / 2)
        last = browser.open("/ledger")

    assert shared.status_code == 200
    assert [step.status_code for step in steps] == [200, 200, 200]
    assert (idle.status_code, "Your session is over" in idle.text) == (401, True)
    assert 'href="/sign-in?to=%2Fledger%3Fbefore%3D3"' in idle.text
    assert last.status_code == 401


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"deleted": True}, "deactivated"),
        pytest.param({"is_restricted": True}, "Guests", marks=pytest.mark.proof),
        pytest.param({"team_id": "T0ELSEWHERE"}, "other Slack workspaces", marks=pytest.mark.proof),
        pytest.param({"is_email_confirmed": False}, "not confirmed", marks=pytest.mark.proof),
        (None, "members of ml-leads"),
    ],
    ids=["deactivated", "guest", "elsewhere", "unconfirmed", "left the group"],
)
def test_who_may_read_no_more_loses_the_pages_within_a_minute(
    office: Installation, browser_of: Callable[[], ReadersBrowser], change: dict[str, object] | None, title: str
) -> None:
    browser = browser_of()
    browser.sign_in("ana")
    workspace = office.slack.workspace
    ana = workspace.person("ana")
    if change is None:
        workspace.groups["ml-leads"] = tuple(one for one in workspace.groups["ml-leads"] if one != ana.id)
    else:
        workspace.people[ana.id] = replace(ana, **change)  # type: ignore[arg-type]
    office.forget_what_slack_said()

    seen = browser.open("/ledger")

    assert (seen.status_code, title in seen.text) == (403, True)
    assert browser.open("/ledger").status_code in (401, 403)


@pytest.mark.parametrize("person", ["cy", "gil"], ids=["in no group of readers", "a guest"])
def test_who_may_not_read_sees_why_and_gets_no_session(
    office: Installation, browser_of: Callable[[], ReadersBrowser], person: str
) -> None:
    browser = browser_of()

    answer = browser.sign_in(person)

    assert answer.status_code == 403
    assert "You may not read these pages" in answer.text
    assert "countersign" not in browser.cookies


def test_the_policy_names_who_reads(office: Installation, browser_of: Callable[[], ReadersBrowser]) -> None:
    office.use_policy(groups="risk: {people: [cy@example.com]}", top="readers: [risk]")

    answers = [browser_of().sign_in(person).status_code for person in ("cy", "ana")]

    assert answers == [303, 403]


def test_while_slack_is_down_a_session_lasts_for_a_few_minutes(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    browser = browser_of()
    browser.sign_in("ana")
    office.slack.faults.add("refused", "/api/users.info", error="service_unavailable", times=100)
    office.forget_what_slack_said()

    soon = browser.open("/ledger")
    forward(office, UNCHECKED + timedelta(minutes=1))
    later = browser.open("/ledger")

    assert (soon.status_code, later.status_code) == (200, 503)
    assert "Try again in a few minutes" in later.text


def test_a_session_from_before_the_clock_was_set_back_is_over(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    browser = browser_of()
    browser.sign_in("ana")
    forward(office, -SKEW / 2)
    a_little = browser.open("/ledger")
    forward(office, -SKEW)

    answer = browser.open("/ledger")

    assert a_little.status_code == 200
    assert (answer.status_code, "Your session is over" in answer.text) == (401, True)


def test_who_signs_out_while_slack_is_down_is_signed_out_however_long_it_lasts(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    browser = browser_of()
    browser.sign_in("ana")
    key = browser.form_key()
    office.slack.faults.add("refused", "/api/users.info", error="service_unavailable", times=100)
    office.forget_what_slack_said()
    forward(office, UNCHECKED + timedelta(minutes=1))

    forged = browser.submit("/sign-out", {"form_key": f"{key}0"})
    out = browser.submit("/sign-out", {"form_key": key})

    with office.s.store.transaction() as tx:
        ended = tx.connection.execute(sa.select(tables.web_sessions.c.ends_at)).scalar_one()
    assert (forged.status_code, out.status_code) == (403, 303)
    assert "countersign" not in browser.cookies
    assert ended <= office.clock.now()


@pytest.mark.parametrize("made", ["now + 1 h", "999999999999", "99999999999", "9999999999", "0", "0000000000"])
def test_a_cookie_of_an_odd_time_is_too_late(
    office: Installation, browser_of: Callable[[], ReadersBrowser], made: str
) -> None:
    moment = str(int((office.clock.now() + timedelta(hours=1)).timestamp())) if made == "now + 1 h" else made
    attempt = Attempt(f"{'A' * 43}.{moment}.Lw==")
    browser = browser_of()

    answer = browser.open(
        f"/sign-in/slack?state={attempt.state}&code=x", headers={"Cookie": f"{COOKIE}={attempt.text}"}
    )

    assert (answer.status_code, "longer than ten minutes" in answer.text) == (400, True)


def test_an_answer_to_a_sign_in_opens_one_session_in_the_browser_that_began_it(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    victim, attacker = browser_of(), browser_of()
    stolen = attacker.allow(attacker.ask_slack(), "ben")
    kept = attacker.cookies["countersign-sign-in"]

    elsewhere = victim.open(stolen)
    first = attacker.open(stolen)
    attacker.cookies.set("countersign-sign-in", kept, domain="localhost.local", path="/")
    again = attacker.open(stolen)
    other_state = victim.open(victim.allow({**victim.ask_slack(), "state": "forged"}, "ana"))
    other_nonce = victim.open(victim.allow({**victim.ask_slack(), "nonce": "forged"}, "ana"))
    refused = victim.open(victim.allow(victim.ask_slack(), "ana", answer="cancel"))
    form = victim.ask_slack()
    forward(office, timedelta(minutes=11))
    too_late = victim.open(victim.allow(form, "ana"))

    assert first.status_code == 303
    assert [elsewhere.status_code, again.status_code] == [403, 400]
    assert "used before" in again.text
    assert [other_state.status_code, other_nonce.status_code, refused.status_code] == [403, 403, 403]
    assert "did not allow" in refused.text
    assert (too_late.status_code, "longer than ten minutes" in too_late.text) == (400, True)
    assert all(
        "Sign in with Slack" in one.text for one in (elsewhere, again, other_state, other_nonce, refused, too_late)
    )
    assert "countersign" not in victim.cookies


def test_an_id_token_counts_only_from_slack_for_this_app_and_this_team(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    offered, browser, answers = office.slack.openid, browser_of(), {}
    claims: dict[str, dict[str, object]] = {
        "team": {"https://slack.com/team_id": "T0ELSEWHERE"},
        "audience": {"aud": "1.2"},
        "issuer": {"iss": "https://slack.example.com"},
        "old": {"exp": 1_700_000_000},
        "account": {"https://slack.com/user_id": ""},
        "nonce": {"nonce": ["a", "list"]},
    }
    keys = {
        "key": (OpenId(office.slack.backend).key, "RS256"),
        "unsigned": (None, "none"),
        "secret": ("a-secret-that-is-long-enough-for-hs256-in-tests", "HS256"),
    }

    for name in (*claims, *keys):
        offered.forged, offered.forged_with = claims.get(name, {}), keys.get(name)
        answers[name] = browser.sign_in("ana").status_code

    assert set(answers.values()) == {403}, answers
    assert "countersign" not in browser.cookies


@pytest.mark.parametrize(
    "form",
    [
        {"form_key": "forged"},
        *(pytest.param(odd, marks=pytest.mark.proof) for odd in ({}, {"form_key": "é"}, {"form_key": "x" * 5000})),
    ],
)
def test_a_form_that_we_did_not_give_changes_nothing(
    office: Installation, browser_of: Callable[[], ReadersBrowser], form: dict[str, str]
) -> None:
    browser = browser_of()
    browser.sign_in("ana")

    answer = browser.submit("/sign-out", form)

    assert answer.status_code in (403, 413)
    assert browser.open("/ledger").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("/search?q=a%20b", "/search?q=a%20b"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/%5cevil.example", "/%5cevil.example"),  # a path of ours, which is not found
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: a=b", "/"),
        ("/sign-out", "/"),
        ("/sign-in?to=/", "/"),
        ("http://[", "/"),
        ("//[", "/"),
        ("/a//[x", "/a//[x"),
        ("", "/"),
        ("ledger", "/"),
        ("/" + "a" * 2000, "/"),
    ],
)
def test_after_signing_in_no_one_is_led_to_another_site(wanted: str, page: str) -> None:
    assert own_page(wanted) == page


def test_a_bot_without_client_id_says_how_to_switch_signing_in_on(database_url: str, tmp_path: Path) -> None:
    with installation_on(database_url, NO_REGISTRY, NO_REGISTRY, "bike", tmp_path) as bare:
        bare.use_policy()
        browser = ReadersBrowser(bare)
        browser.home = bare.url

        answers = [browser.open(page) for page in ("/", "/sign-in", "/ledger")]
        browser.close()

    assert [answer.status_code for answer in answers] == [200, 503, 401]
    assert all("SLACK_CLIENT_ID" in answer.text for answer in answers)


def test_the_way_to_slack_asks_for_no_more_than_who_it_is(
    office: Installation, browser_of: Callable[[], ReadersBrowser]
) -> None:
    asked = parse_qs(urlsplit(browser_of().open("/sign-in").headers["Location"]).query)

    assert asked["scope"] == ["openid"]
    assert asked["redirect_uri"] == [f"{office.s.links.url}/sign-in/slack"]


def forward(office: Installation, time: timedelta) -> None:
    office.clock.ahead += time
