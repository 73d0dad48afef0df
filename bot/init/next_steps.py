"""Who has to do what after `countersign init`, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from bot.clients.mlflow.checkup import WEBHOOKS, missing
from bot.domain.names import shown
from bot.init.draft import PolicyDraft
from bot.init.questions import some

FERNET = "a Fernet key that never changes; without it webhooks are lost, or all calls about them return 500"
WEBHOOK_SETTINGS: Mapping[str, str] = {
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": FERNET,
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https alone by default; set http,https if COUNTERSIGN_URL is http",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true, if the bot's host name resolves to a private address",
}


@dataclass(frozen=True)
class Task:
    who: str
    what: str


def tasks(
    draft: PolicyDraft | None, lacks: Mapping[str, str], mlflow: str, address: str, public_key: str
) -> Iterator[Task]:
    """`draft` is None where the policy was kept, `mlflow` the server's version, `public_key` the file with the key for the gate."""
    if draft is not None:
        yield Task(
            "Slack admin",
            f"/invite @Countersign in {shown(draft.channel)}, unless it is there; approve the app if Slack asks",
        )
    yield Task(
        "MLflow admin", "with accounts: READ on the experiments, EDIT on the models (MANAGE to revert moves by hand)"
    )
    if address and WEBHOOKS not in missing(mlflow):
        for name, why in WEBHOOK_SETTINGS.items():
            yield Task("", f"{name}: {why}")
        yield Task("", "then, with an admin's account: countersign doctor --register-webhook")
    if draft is not None and draft.ticket is not None:
        wanted = "; ".join(f"{name} (to {why})" for name, why in lacks.items())
        key = shown(draft.ticket.project)
        done = f"nothing: the account has every permission in {key}"
        yield Task("Jira admin", f"give the account in {key}: {wanted}" if wanted else done)
    yield from _trainers(draft)
    yield Task("Gate users", f"CI and serving take the public key: give them {public_key} (docs/gate.md, --key)")
    yield Task("You", "commit policy.yaml with its schema; never countersign.env or *.pem; back up var/keys")


def _trainers(draft: PolicyDraft | None) -> Iterator[Task]:
    if draft is not None and draft.unknown_users:
        yield Task("Each trainer", f"say whose these are, for mlflow_user in the policy: {some(draft.unknown_users)}")
    else:
        yield Task(
            "Each trainer",
            "train under their own name (MLflow's tag mlflow.user) and be in the policy with that mlflow_user",
        )


def as_table(rows: Sequence[Task], width: int = 80) -> str:
    """Two columns, wrapped; a task without a name belongs to the one above it."""
    column = max(len(row.who) for row in rows)
    return "\n".join(line for row in rows for line in _wrapped(row, column, width))


def _wrapped(row: Task, column: int, width: int) -> Iterator[str]:
    lines = wrap(row.what, width - column - 4, break_long_words=False, break_on_hyphens=False)
    for place, line in enumerate(lines):
        yield f"  {'' if place else row.who:<{column}}  {line}"
