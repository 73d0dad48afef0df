"""Who may read what concerns everyone: on pages, in Slack's Home and in notes of the day."""

from __future__ import annotations

import structlog

from bot.domain.policy.rules import Group, Policy
from bot.errors import Permanent, Temporary
from bot.services import Services
from bot.store.people import Person

log = structlog.get_logger()


def reads_all(person: Person, policy: Policy, s: Services) -> bool:
    """As on the pages: the groups that the policy names as readers, else all of its groups."""
    readers = [group for group in policy.groups if not policy.readers or group.name in policy.readers]
    trouble: Temporary | None = None
    for group in readers:
        try:
            if _is_in(group, person, s):
                return True
        except Temporary as untold:  # another group may admit them
            trouble = untold
    if trouble is not None:
        raise trouble
    return False


def _is_in(group: Group, person: Person, s: Services) -> bool:
    if group.slack_group is None:
        return person.email in group.people
    try:
        return person.account in s.notifier.members_of(group.slack_group)
    except Permanent as gone:
        log.warning("group_not_read", group=group.name, why=str(gone))
        return False
