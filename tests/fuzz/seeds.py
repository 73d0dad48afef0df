"""Valid inputs to start from, and small changes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from bot.domain.attestation.decision import payload_of
from tests.builders.passkeys import ENVELOPED, MADE, PASSKEY, SENT, STATEMENT
from tests.clients.slack.test_inbound import FORM, PRESS
from tests.fixtures.installation import policy_text

ROOT = Path(__file__).parents[2]
SENT_FORM = {**FORM, "view": {**FORM["view"], "type": "modal"}}  # type: ignore[dict-item]
LOCK = """schema: '2.0'
stages:
  train:
    cmd: python train.py
    deps:
    - path: data/raw.csv
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
      size: 14
    params:
      params.yaml:
        train.depth: 3
    outs:
    - path: model
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
"""
COMMAND = b"command=%2Fcountersign&text=away+until+2026-12-01+-%3E+%40ben&user_id=U0ANA000001&team_id=T1&response_url=http%3A%2F%2Fx"
EVENT = {
    "type": "event_callback",
    "team_id": "T1",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "user": "U1", "text": "hi", "channel": "C1"},
    "authorizations": [{"team_id": "T1", "is_enterprise_install": False}],
}
CHALLENGE = {"type": "url_verification", "challenge": "abc", "token": "x"}
SHORTCUT = {
    "type": "message_action",
    "callback_id": "x",
    "user": {"id": "U1"},
    "message": {"ts": "1.2", "user": "U2"},
    "response_urls": [{"response_url": "http://x"}],
}
ISSUE = {"webhookEvent": "jira:issue_updated", "issue": {"id": "10001", "key": "GOV-1", "fields": {"summary": "x"}}}
NEWS = {
    "entity": "model_version_alias",
    "action": "created",
    "data": {"name": "bike-demand", "alias": "candidate", "version": "1"},
}
ASKED = {"name": "bike-demand", "version": 1, "to": "alias:champion", "requester": "ana@example.com", "comment": "x"}
WAY_BACK = {"name": "bike-demand", "to": "alias:champion", "requester": "ana@example.com", "reason": "drifts"}


def _json(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


DOOR_SEEDS: Mapping[str, Sequence[bytes]] = {
    "mlflow": _json(NEWS),
    "jira": _json(ISSUE),
    "slack-form": (COMMAND, b"payload=%7B%7D", b"ssl_check=1&token=x"),
    "slack-payload": _json(PRESS, SENT_FORM, SHORTCUT),
    "slack-event": _json(EVENT, CHALLENGE),
    "slack-unsigned": (COMMAND, b"ssl_check=1&token=x", b"payload=%7B%22type%22%3A7%7D"),
    "api-requests": _json(ASKED),
    "api-rollbacks": _json(WAY_BACK),
    "gate": (b"bike-demand/1?target=alias:champion", b"bike-demand/1?target=stage:Production"),
    "page": (b"bike-demand", "bike é".encode()),
    "unsigned-page": (b"bike-demand/1?expires=1&signature=x",),
    "confirm": _json(SENT),
    "enrol": _json({**MADE, "label": "my phone"}),
    "unsigned-passkeys": (b"0?expires=1&signature=x",),
    "headers": (b"v1,abc=", b"1795384800", b"v0=" + b"a" * 64, b"sha256=00"),
}
ENTRY = '{"at":"2026-11-28T00:00:00+00:00","event":"PolicyActivated","seq":1,"digest":"x","path":"p"}'
READER_SEEDS: Mapping[str, Sequence[str]] = {
    "policy": (policy_text("bike-*"), (ROOT / "config" / "policy.yaml").read_text()),
    "policy-notices": (policy_text("bike-*"),),
    "settings": ("",),
    "each-setting": ("http://127.0.0.1:8080", "postgresql://u:p@h:5432/d", "10.0.0.0/8", "[::1]:8080", "a@b"),
    "ledger-entry": (ENTRY,),
    "checkpoint": (),
    "envelope": (),
    "vote-by-passkey": (payload_of(ENVELOPED).decode(), payload_of(STATEMENT).decode()),
    "passkeys-answer": (json.dumps(SENT),),
    "passkey-key": (PASSKEY.public_key,),
    "made-passkey": tuple(MADE.values()),
    "dvc-lock": (LOCK,),
    "dvc-params": ("train:\n  depth: 3\n  layers: [1, 2]\n",),
    "dvc-yaml": ("stages:\n  train:\n    metrics:\n    - metrics.json:\n        cache: false\n",),
    "model-files": (
        "flavors:\n  python_function:\n    env: {conda: conda.yaml}\n    config: {route: /v1}\n    code: code\n",
        "numpy==2.0 --hash=sha256:ab\n-r requirements.txt\nmine @ file:///opt/mine.whl\n",
        '[project]\ndependencies = ["numpy>=2"]\n[tool.uv.sources]\nmine = { path = "../mine" }\n',
        '{"auto_map": {"AutoModel": "org/repo--modeling.Mine"}}',
    ),
    "slack-shape": (COMMAND.decode(),),
    "slack-click": (json.dumps(PRESS), json.dumps(FORM)),
    "slack-mention": ("<@U0BEN000002|ben>",),
    "target": ("alias:champion", "stage:Production", "model:prod.x"),
    "model-uri": ("models:/bike-demand/3", "models:/bike-demand@champion"),
}

SPLIT = re.compile(r"([\w.\-]+|\s+)")
ODD = [
    "",
    "null",
    "true",
    "[]",
    "{}",
    "7",
    '""',
    "-1",
    "1e999",
    "\\u0000",
    "\\ud800",
    "\n",
    "&x ",
    "*x",
    "!!python/name:os.system",
    "x" * 300,
]


@st.composite
def mutations(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """A seed in which a few words are replaced, doubled or removed."""
    if not seeds:
        return draw(st.text(max_size=200))
    words = SPLIT.split(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(words) - 1))
        words[place] = draw(st.sampled_from(ODD) | st.text(max_size=8) | st.just(words[place] * 2))
    return "".join(words)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
NAMES = st.sampled_from(
    sorted(
        {
            *PRESS,
            *FORM,
            *EVENT,
            *SHORTCUT,
            *ISSUE,
            *NEWS,
            *ASKED,
            *SENT,
            *MADE,
            "id",
            "actions",
            "is_ext_shared_channel",
            "event",
            "message",
            "enterprise",
        }
    )
)
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=10
)


@st.composite
def json_mutations(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A JSON seed in which values at any depth are replaced by others, also of another type."""
    body = json.loads(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(0, 3))):
        body = _changed(draw, body, draw(st.integers(0, 3)))
    return json.dumps(body).encode()


def _changed(draw: st.DrawFn, value: object, levels: int) -> object:
    if levels and isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)) | NAMES)
        return {**value, name: _changed(draw, value.get(name), levels - 1)}
    if levels and isinstance(value, list) and value:
        return [_changed(draw, value[0], levels - 1), *value[1:]]
    return draw(VALUES)
