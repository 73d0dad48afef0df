"""Checks of passkeys, where a rule wants them: whether browsers allow them at our address, and whether enough approvers have one."""

from __future__ import annotations

from bot.doctor.findings import Finding, Findings, World, failure, fine
from bot.domain.policy.rules import Group, Rule
from bot.errors import OutsideError, Refused
from bot.passkeys import relying_party

MAKE_ONE = "each of them says /countersign passkey in Slack, and other approvers confirm it"


def passkeys_can_be_used(world: World) -> Findings:
    """Says nothing while no rule wants passkeys. Fails when no one could approve under a rule that does."""
    if not any(rule.approve.wants_passkeys for rule in world.policy.rules):
        return
    try:
        party = relying_party(world.settings.public_url)
    except Refused as refusal:
        yield failure(
            "passkeys", f"a rule wants passkeys, and {refusal}", "set COUNTERSIGN_URL to an https address with a name"
        )
        return
    if not world.services.links.are_made:
        yield failure(
            "passkeys",
            "a rule wants passkeys, and there is no key for links to the page where they sign",
            "set COUNTERSIGN_LINK_KEY for the web process and the worker alike",
        )
        return
    yield fine("passkeys", f"are made for {party.id} and sign at {party.origin}")


def approvers_have_passkeys(world: World) -> Findings:
    for rule in world.policy.rules:
        if not rule.approve.wants_passkeys:
            continue
        for group in world.services.store.policy().groups_of(rule):
            quorum = max((one.quorum for one in rule.approve.all_of if one.group == group.name), default=0)
            if quorum and rule.approve.wants_passkey_for(group.name):
                yield _having(group, quorum, rule, world)


def _having(group: Group, quorum: int, rule: Rule, world: World) -> Finding:
    what = f"passkeys of {group.name}"
    try:
        members = _people_in(group, world)
    except OutsideError as trouble:
        return failure(what, str(trouble))
    host = relying_party(world.settings.public_url).id
    with world.services.store.transaction() as tx:
        keys = tx.passkeys.all().values()
    having = {key.person for key in keys if key.counts and key.rp_id == host}
    count = len(members & having)
    said = f"{count} of {len(members)} members known here have one that counts"
    if count < quorum:
        return failure(what, f"{said}, but the rule {rule.label} wants {quorum} approvals of it", MAKE_ONE)
    return fine(what, said)


def _people_in(group: Group, world: World) -> frozenset[str]:
    """Ids of those who are known: a member who never used the bot has no passkey either."""
    accounts = world.slack.members_of(group.slack_group) if group.slack_group else ()
    with world.services.store.transaction() as tx:
        held = [tx.people.holder(account) for account in accounts]
        named = [tx.people.find(email) for email in group.people]
    return frozenset(person.id for person in (*held, *named) if person is not None)
