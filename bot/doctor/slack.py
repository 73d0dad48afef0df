"""Checks of Slack: the token and its scopes, the policy's channels, groups and people, and how Slack reaches us."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import urlsplit

import yaml

from bot.clients.slack.calls import SlackError
from bot.clients.slack.checkup import ChannelSeen
from bot.clients.slack.openid import SlackSignIn
from bot.doctor.findings import Finding, Findings, World, failure, fine, not_tried, warning
from bot.domain.calm.sample import calm_samples
from bot.domain.card.card import Card
from bot.domain.card.details import details_card
from bot.domain.card.request_card import request_card
from bot.domain.card.sample import sample_cards
from bot.domain.digest.card import ReportFile, digest_card, files_card, thread_cards
from bot.domain.digest.periods import period_at
from bot.domain.digest.sample import sample
from bot.domain.text import counted
from bot.errors import OutsideError, Permanent, Rejected, Temporary
from bot.ports import AccountKind
from bot.reports.records import file_names
from bot.store.requests import LIVE
from handlers.notify.render_context import context_for
from handlers.notify.sample_notes import sample_notes

LIVE_CARDS = 10
HOW_TO_SIGN_IN = "set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and COUNTERSIGN_URL for the web process"
SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
PASTE = "paste config/slack_manifest.yaml again and reinstall the app"
INVITE = "write `/invite @Countersign` there"
REINSTALL = (
    "add them under OAuth & Permissions of the Slack app (or paste config/slack_manifest.yaml again) and reinstall it"
)


def slack_knows_the_bot(world: World) -> Findings:
    installed = world.slack.installation()
    if installed.is_bot:
        where = "for the whole organisation" if installed.is_org_wide else "in the workspace"
        yield fine("slack", f'"{installed.user}" {where} "{installed.workspace}"')
    else:
        yield failure(
            "slack",
            f"SLACK_BOT_TOKEN is a token of the person {installed.user}",
            "set it to the Bot User OAuth Token of the app, which starts with xoxb-",
        )


def scopes_are_complete(world: World) -> Findings:
    held, wanted = world.slack.installation().scopes, scopes_in_manifest()
    if not held:
        yield warning("slack scopes", "Slack's answer does not tell them", "check any proxy before SLACK_API_URL")
    elif missing := sorted(wanted - held):
        yield failure("slack scopes", f"the app lacks {', '.join(missing)}", REINSTALL)
    else:
        yield fine("slack scopes", f"all {len(wanted)} that config/slack_manifest.yaml asks for")


def channels_are_joined(world: World) -> Findings:
    scopes = world.slack.installation().scopes
    seen = world.slack.channels(private=not scopes or "groups:read" in scopes)
    digest = world.policy.digest
    of_the_digest = (digest.channel,) if digest and digest.channel else ()
    for wanted in dict.fromkeys((*world.policy.channels(), *of_the_digest)):
        name = wanted.removeprefix("#")
        channel = next((channel for channel in seen if name in (channel.name, channel.id)), None)
        yield _missing_channel(wanted) if channel is None else _channel(wanted, channel, scopes, world)


def groups_have_members(world: World) -> Findings:
    for group in world.policy.groups:
        if group.slack_group is None:
            continue
        what = f"slack group @{group.slack_group.removeprefix('@')}"
        most = _highest_quorum(group.name, world)
        try:
            members = world.slack.members_of(group.slack_group)
        except OutsideError as trouble:
            yield failure(what, str(trouble))
            continue
        if not members:
            yield failure(what, "has no active members, so nobody can approve", "add people to it in Slack")
        elif len(members) < most:
            yield failure(
                what,
                f"has {counted(len(members), 'active member')}, but a rule wants {most} approvals of it",
                "add people to it in Slack, or lower the quorum in the policy",
            )
        elif _takes(group.name, len(members), world):
            few = f"{counted(len(members), 'member')}, and a rule wants the approvals of as many: what one of them asks for or trains"
            yield fine(
                what,
                f"{few} cannot be approved. Add people to it in Slack, or lower the quorum or add escalate in the policy",
            )
        else:
            yield fine(what, counted(len(members), "member"))


def people_are_found(world: World) -> Findings:
    emails = {person.email for person in world.policy.people}
    emails.update(email for group in world.policy.groups for email in group.people)
    found = 0
    for email in sorted(emails):
        try:
            account = world.slack.find_account(email)
        except Temporary as trouble:
            yield warning("slack people", f"not all could be asked for: {trouble}", "run it again in a minute")
            return
        if account is None:
            yield warning(
                f"slack person {email}", "has no Slack account with this e-mail", "correct the policy, or invite them"
            )
        elif account.kind is not AccountKind.MEMBER:
            yield warning(f"slack person {email}", f"is a {account.kind} account, which may not decide")
        else:
            found += 1
    yield fine("slack people", f"{found} of {len(emails)} found by e-mail")


def way_in_is_open(world: World) -> Findings:
    settings = world.settings
    if settings.slack_app_token.get_secret_value():
        world.slack.open_socket()
        yield fine("slack socket", "SLACK_APP_TOKEN opens Socket Mode; the process `socket` must run")
    elif all(SIGNING_SECRET.fullmatch(secret.get_secret_value()) for secret in settings.slack_signing_secrets):
        yield fine("slack signing secret", "has the expected format")
    else:
        yield warning(
            "slack signing secret",
            "SLACK_SIGNING_SECRET does not have the format of Slack's signing secrets: 32 digits and letters from a to f",
            'copy the Signing Secret from the page "Basic Information" of the Slack app',
        )


def people_can_sign_in(world: World) -> Findings:
    """Asks Slack with a code that cannot be one: whether id, secret and address are right shows in how it refuses."""
    settings = world.settings
    if not settings.slack_client_id:
        told = warning if settings.public_url else not_tried  # without an address there are no pages to sign in to
        yield told("sign-in", "sign-in is off: SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are not set", HOW_TO_SIGN_IN)
        return
    if not settings.public_url:
        yield warning("sign-in", "sign-in is off: COUNTERSIGN_URL is not set", HOW_TO_SIGN_IN)
        return
    secret = settings.slack_client_secret.get_secret_value()
    asked = SlackSignIn(settings.slack_client_id, secret, settings.slack_api_url, lambda: "")
    try:
        asked.check(f"{settings.public_url}/sign-in/slack")
    except (Rejected, Permanent) as refusal:
        yield failure("sign-in", str(refusal))
        return
    groups = ", ".join(world.policy.readers) or "all groups of the policy"
    yield fine("sign-in", f"Slack knows SLACK_CLIENT_ID and its secret; readers are the people of {groups}")
    yield from _address_for_cookies(settings.public_url)


def _address_for_cookies(url: str) -> Findings:
    is_local = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    if not url.startswith("https://") and not is_local:
        yield warning(
            "sign-in",
            f"{url} is not https, so others on the way can read the sessions",
            "put it behind a proxy that ends TLS",
        )
    if urlsplit(url).path:
        yield failure(
            "sign-in",
            f"{url} has a path, and the pages are at the root of their address",
            "give the bot a host name of its own",
        )


def home_is_offered(world: World) -> Findings:
    """Slack does not tell an app what its manifest says: this names what must be in it."""
    addresses = [world.settings.public_url, world.settings.mlflow_public_url or world.settings.mlflow_tracking_uri]
    addresses += [registry.public_url or registry.uri for registry in world.policy.registries]
    hosts = ", ".join(sorted({host for url in addresses if (host := urlsplit(url).hostname)}))
    yield fine(
        "slack home",
        f"the app's Home tab shows people what waits for them. If it stays empty, or the shortcut is missing, {PASTE}; links are shown "
        f"in more detail for the hosts in its unfurl_domains, which should be {hosts}",
    )


def cards_are_taken(world: World) -> Findings:
    """Asks Slack about each card, message and form that we can print, without posting any."""
    rule = next(iter(world.policy.rules), None)
    groups = world.policy.groups_of(rule) if rule else ()
    now = datetime.now(UTC)
    cards = [*sample_cards(rule, groups, now), *calm_samples(rule, groups, now), *sample_notes(world.policy)]
    cards += [*_digest_cards(world), *_live_cards(world)]
    refused = 0
    for name, card in [*cards, ("the forms", None)]:
        try:
            if card is None:
                world.slack.check_forms()
            else:
                world.slack.check_card(card)
        except Temporary as trouble:
            yield warning("slack cards", f"not all could be asked about: {trouble}", "run it again in a minute")
            return
        except SlackError as refusal:
            if refusal.code == "unknown_method":
                yield warning("slack cards", "this Slack has no blocks.validate, so it cannot be asked beforehand")
                return
            refused += 1
            yield failure("slack cards", f"{name}: {refusal}", "please report it with this line")
    if not refused:
        yield fine("slack cards", f"Slack takes all {len(cards)} cards and messages that were tried, and the forms")


def _digest_cards(world: World) -> Iterator[tuple[str, Card]]:
    plan = world.policy.digest
    if plan is None or not plan.channel:
        return
    now = datetime.now(UTC)
    week = sample(period_at(now, plan.timezone), now)
    yield "the digest", digest_card(week)
    files = [ReportFile(name, "0" * 64) for name in vars(file_names(week.period.week)).values()]
    yield "the digest's files", files_card(week, files)
    for card in thread_cards(week, file_names(week.period.week)):
        yield f"the digest's thread, {card.title}", card


def _live_cards(world: World) -> list[tuple[str, Card]]:
    """Of the newest requests that wait or are applied soon."""
    if world.is_new:
        return []
    now, s = datetime.now(UTC), world.services
    with s.store.transaction() as tx:
        live = tx.requests.find(states=LIVE)[-LIVE_CARDS:]
        seen = [(one, context_for(one, tx, now)) for one in live]
    cards = [(f"the card of {one.short_id}", request_card(one, context, calls=True)) for one, context in seen]
    return cards + [(f"the details of {one.short_id}", details_card(one, context)) for one, context in seen]


def scopes_in_manifest() -> frozenset[str]:
    manifest = yaml.safe_load(files("config").joinpath("slack_manifest.yaml").read_text(encoding="utf-8"))
    return frozenset(manifest["oauth_config"]["scopes"]["bot"])


def _missing_channel(wanted: str) -> Finding:
    return failure(
        f"slack channel {wanted}",
        "the bot sees no such channel",
        f"check the name in the policy; if the channel is private, {INVITE}",
    )


def _channel(wanted: str, channel: ChannelSeen, scopes: frozenset[str], world: World) -> Finding:
    """The bot must read as well as post: after a lost answer it looks for its message in the channel's history."""
    what = f"slack channel {wanted}"
    if channel.archived:
        return failure(what, "is archived", "unarchive it, or name another one in the policy")
    if not channel.joined:
        posts = (
            "may post there, but not read it after a lost answer" if "chat:write.public" in scopes else "is not in it"
        )
        return failure(what, f"the bot {posts}", INVITE)
    try:
        world.slack.read_history(channel.id)
    except OutsideError as trouble:
        return failure(what, f"the bot is in it, but may not read its history: {trouble}")
    return fine(what, "the bot is in it and may read its history")


def _takes(group: str, everybody: int, world: World) -> bool:
    """Whether a rule without an escalation takes everybody's vote."""
    rules = [rule for rule in world.policy.rules if rule.escalate is None]
    return any((one.group, one.quorum) == (group, everybody) for rule in rules for one in rule.approve.all_of)


def _highest_quorum(group: str, world: World) -> int:
    demands: Mapping[str, int] = {}
    for rule in world.policy.rules:
        for requirement in rule.approve.all_of:
            demands = {**demands, requirement.group: max(requirement.quorum, demands.get(requirement.group, 0))}
    return demands.get(group, 0)
