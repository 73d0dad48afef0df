"""Who asked or moved a target in MLflow, as the guard of its server reports it: they are the requester, and may not decide."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import requests

from bot.domain.events import AskJoined, OwnAskApproved, RequestOpened
from bot.domain.model import Kind, State, TransitionRequest
from handlers.doors.guard import MOST
from tests.fixtures.installation import API_TOKEN, GUARD_SECRET, Installation


def write(
    installation: Installation, user: str, act: str, version: int, *names: str, **also: object
) -> dict[str, object]:
    return {
        "id": uuid4().hex,
        "at": datetime.now(UTC).isoformat(),
        "user": user,
        "vouched_by": "basic-auth" if user else "",
        "act": act,
        "workspace": "default",
        "model": installation.model,
        "version": version,
        "names": list(names),
        **also,
    }


def report(
    installation: Installation, *writes: dict[str, object], secret: str = GUARD_SECRET, token: str = API_TOKEN
) -> requests.Response:
    body = json.dumps({"registry": "default", "writes": list(writes)}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Authorization": f"Bearer {token}", "X-Countersign-Guard-Signature": f"sha256={signature}"}
    return requests.post(f"{installation.url}/guard/writes", data=body, headers=headers, timeout=30)


def told(installation: Installation, *writes: dict[str, object]) -> None:
    answer = report(installation, *writes)
    assert answer.status_code == 200, answer.text
    installation.settle()


def name_of(installation: Installation, request: TransitionRequest) -> str:
    with installation.s.store.transaction() as tx:
        return tx.people.names([request.requester or ""]).get(request.requester or "", "")


def test_a_report_that_comes_before_the_request_names_its_requester(installation: Installation) -> None:
    version = installation.register()
    told(installation, write(installation, "ana", "SET_ALIAS", version, "candidate"))

    request = installation.asked(version)

    assert name_of(installation, request) == "Ana Ruiz"
    assert request.vouched_by == "MLflow's basic auth"
    assert "requester is unknown" not in installation.card(request).all_text


def test_a_report_that_comes_later_names_the_requester_of_the_open_request(installation: Installation) -> None:
    request = installation.asked()
    assert request.requester is None

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate"))

    assert name_of(installation, installation.reread(request)) == "Ana Ruiz"
    assert installation.happened(RequestOpened, AskJoined) == ["RequestOpened", "AskJoined"]
    assert "MLflow's basic auth vouches for the name" in installation.card(request).all_text


def test_who_moved_a_target_by_hand_is_known_and_may_not_ratify_it(installation: Installation) -> None:
    first, second = installation.register(), installation.register()
    installation.approve(installation.asked(first))
    installation.move(second)
    request = installation.request(second)
    assert request.kind is Kind.OBSERVED

    told(installation, write(installation, "ana", "SET_ALIAS", second, "champion"))
    installation.approve(installation.reread(request), "ana")

    assert installation.reread(request).state is request.state
    assert name_of(installation, installation.reread(request)) == "Ana Ruiz"


def test_a_vote_of_the_one_who_turns_out_to_have_asked_counts_no_more(installation: Installation) -> None:
    installation.use_policy(unknown_requester="one_more")
    request = installation.asked()
    installation.approve(request, "ana")
    waiting = installation.reread(request)

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate"))

    assert not waiting.decided_at
    assert not installation.reread(request).decided_at


def test_the_same_report_again_changes_nothing(installation: Installation) -> None:
    request = installation.asked()
    one = write(installation, "ana", "SET_ALIAS", request.version.version, "candidate")

    answers = [report(installation, one).json() for _ in range(3)]

    assert [answer["new"] for answer in answers] == [1, 0, 0]
    assert installation.happened(AskJoined) == ["AskJoined"]


@pytest.mark.parametrize(
    ("user", "act", "names"),
    [
        ("", "SET_ALIAS", ["candidate"]),
        ("a-stranger", "SET_ALIAS", ["candidate"]),
        pytest.param("ana", "SET_ALIAS", ["another"], marks=pytest.mark.proof),
        ("ana", "TAG_VERSION", ["candidate"]),
        pytest.param("ana", "DELETE_ALIAS", ["candidate"], marks=pytest.mark.proof),
        pytest.param("ana", "UNTAG_VERSION", ["candidate"], marks=pytest.mark.proof),
    ],
)
def test_a_write_that_did_not_ask_names_no_one(
    installation: Installation, user: str, act: str, names: list[str]
) -> None:
    request = installation.asked()

    told(installation, write(installation, user, act, request.version.version, *names))

    assert installation.reread(request).requester is None


def test_a_write_about_an_earlier_version_of_that_number_names_no_one(installation: Installation) -> None:
    request = installation.asked()
    before = datetime(2020, 1, 1, tzinfo=UTC).isoformat()

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate", at=before))

    assert installation.reread(request).requester is None


def test_a_write_that_may_not_have_happened_names_no_one(installation: Installation) -> None:
    request = installation.asked()

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate", is_certain=False))

    assert installation.reread(request).requester is None


def test_a_name_that_nothing_vouches_for_is_not_believed(installation: Installation) -> None:
    request = installation.asked()

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate", vouched_by="me"))

    assert installation.reread(request).requester is None


def test_only_who_has_the_token_and_the_guards_secret_may_report(installation: Installation) -> None:
    request = installation.asked()
    one = write(installation, "ana", "SET_ALIAS", request.version.version, "candidate")

    refused = [report(installation, one, secret="x" * 40), report(installation, one, token="wrong")]

    assert [answer.status_code for answer in refused] == [401, 401]
    assert installation.reread(request).requester is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2**40},
        {"id": "x"},
        {"act": "AN_ACT_OF_A_NEWER_GUARD"},
        *(
            pytest.param(change, marks=pytest.mark.proof)
            for change in ({"model": ""}, {"version": 0}, {"at": "now"}, {"names": ["x"] * 200}, {"workspace": "a/b/c"})
        ),
    ],
)
def test_a_write_that_cannot_be_read_is_refused_by_itself(
    installation: Installation, change: dict[str, object]
) -> None:
    request = installation.asked()
    usual = write(installation, "ana", "SET_ALIAS", request.version.version, "candidate")
    strange = {**write(installation, "ben", "SET_ALIAS", request.version.version, "candidate"), **change}

    answer = report(installation, strange, usual)

    assert answer.status_code == 200
    assert answer.json()["new"] == 1
    assert list(answer.json()["refused"]) == [strange["id"]]
    assert name_of(installation, installation.reread(request)) == "Ana Ruiz"


def test_the_vote_of_who_had_asked_decides_nothing_however_late_that_becomes_known(installation: Installation) -> None:
    installation.use_policy(unknown_requester="author_only")
    request = installation.asked()
    installation.slack.click("ana", "model-approvals", installation.card(request).ts, "approve")
    assert installation.reread(request).state is State.APPROVED

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate"))

    again = installation.request(request.version.version)
    assert installation.reread(request).state is State.CALLED_OFF
    assert (again.state, name_of(installation, again)) == (State.PENDING, "Ana Ruiz")
    assert installation.champion() is None
    installation.approve(again, "ben")
    assert installation.champion() == request.version.version


def test_compliance_reads_of_what_was_carried_out_by_the_vote_of_who_had_asked(installation: Installation) -> None:
    installation.use_policy(unknown_requester="author_only")
    request = installation.asked()
    before = datetime.now(UTC).isoformat()
    installation.approve(request, "ana")
    assert installation.champion() == request.version.version

    told(installation, write(installation, "ana", "SET_ALIAS", request.version.version, "candidate", at=before))

    assert installation.happened(OwnAskApproved) == ["OwnAskApproved"]
    assert installation.reread(request).state is State.APPLIED


def test_a_report_that_comes_late_names_no_one_for_a_later_request(installation: Installation) -> None:
    version = installation.register()
    early = write(installation, "cy", "SET_ALIAS", version, "candidate")
    installation.asked(version)
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    request = installation.asked(version)

    told(installation, early)

    assert installation.reread(request).requester is None


def test_who_takes_a_tag_away_has_not_asked_for_what_it_asks_when_it_is_set_again(installation: Installation) -> None:
    installation.use_policy(ask_on="[{tag: countersign.ask}]")
    version = installation.register()
    told(installation, write(installation, "cy", "UNTAG_VERSION", version, "countersign.ask"))
    installation.mlflow.set_model_version_tag(installation.model, str(version), "countersign.ask", "champion")
    installation.sweep()

    assert installation.request(version).requester is None


def test_a_tag_that_is_taken_away_withdraws_also_when_it_is_known_who_had_set_it(installation: Installation) -> None:
    version = installation.register()
    installation.mlflow.set_model_version_tag(installation.model, str(version), "countersign.ask", "champion")
    installation.use_policy(ask_on="[{tag: countersign.ask}]")
    installation.sweep()
    told(installation, write(installation, "ana", "TAG_VERSION", version, "countersign.ask"))
    assert name_of(installation, installation.request(version)) == "Ana Ruiz"

    installation.mlflow.delete_model_version_tag(installation.model, str(version), "countersign.ask")
    installation.sweep()

    assert installation.request(version).state is State.WITHDRAWN


def test_too_many_writes_in_one_report_are_refused(installation: Installation) -> None:
    one = write(installation, "ana", "SET_ALIAS", 1, "candidate")

    assert report(installation, *([one] * (MOST + 1))).status_code == 400
