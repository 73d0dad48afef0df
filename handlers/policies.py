"""Stories of the policy: a new one comes into force for all replicas at once; a broken one never replaces a good one."""

from __future__ import annotations

import hashlib

from bot.domain.events import PolicyActivated
from bot.domain.model import OPEN
from bot.services import Services
from bot.store import ActivePolicy, Lane


def activate_policy(text: str, source: str, s: Services) -> ActivePolicy | None:
    """Puts the text in force and enrols its people; None when it is in force already. Raises what reading it raises."""
    policy = s.store.parse_policy(text)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.people.enrol(policy.people)
        if tx.policy_digest() == digest:
            return None
        policy_id = tx.add_policy(text, digest, source, now)
        tx.record([PolicyActivated(now, policy_id, digest, source)])
        for request in tx.find_requests(states=OPEN):
            tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}")  # votes under the old rule count no longer
        return ActivePolicy(policy_id, digest, policy)
