"""Words that change something: rolling back, calling off, breaking the glass, the fast track; and which freezes are on."""

from __future__ import annotations

from bot.domain.break_glass.offer import ACTION
from bot.domain.card.card import Card, Fact
from bot.domain.model import Ask, AskKind
from bot.domain.registry.names import request_now
from bot.domain.text import target_label, version_name
from bot.errors import Refused
from bot.language import N_, _, ngettext, sentences
from bot.ports import Click
from bot.services import Services
from handlers.break_glass.offering import Wanted, offer_form
from handlers.doors.commands.asked import (
    Asked,
    check_is_member,
    listing,
    named_model,
    nothing_after,
    readable,
    said,
    target_in,
    version_in,
)
from handlers.evidence.way_back import warning_on_record
from handlers.notify.render_context import context_for
from handlers.policy.kill_switch import how_it_is, switch_fast_track
from handlers.request.asking import rule_for_new
from handlers.request.buttons import call_off as calling_off
from handlers.request.rollbacks import foreseen, roll_back
from handlers.request.voters import any_approver, approver_under

ROLLBACK = "/countersign rollback NAME TARGET REASON"
HOW_TO_FREEZE = N_(
    "To begin one, add it to freezes in policy.yaml and name it in the rule that it holds back. To end one, change its end there. "
    "Then run countersign policy activate."
)
BREAK_GLASS = "/countersign break-glass NAME VERSION TARGET REASON"


def fast_track(asked: Asked, s: Services) -> Card:
    word, _between, reason = asked.rest.partition(" ")
    if not word:
        check_is_member(asked, s)
        return said(_("The fast track"), how_it_is(s))
    if word.lower() not in ("on", "off"):
        raise Refused(_('say "/countersign fast-track off REASON" or "/countersign fast-track on"'))
    person = any_approver(asked.account, s)
    return said(_("The fast track"), switch_fast_track(word.lower() == "on", person, readable(reason), s))


def call_off(asked: Asked, s: Services) -> Card:
    beginning, _between, reason = asked.rest.partition(" ")
    if not beginning:
        raise Refused(_('say "/countersign call-off ID REASON", with the id that the last line of the card shows'))
    ended = calling_off.say(asked.account, beginning, readable(reason), s)
    text = _(
        "Recorded: the approval of {version} for {target} is called off and will not be applied.",
        version=str(ended.version),
        target=target_label(ended),
    )
    return said(_("Called off"), text, _("Asking again opens a fresh request."))


def rollback(asked: Asked, s: Services) -> Card:
    """As the button on the card of what holds the target: the same people may, and it may need the same votes."""
    check_is_member(asked, s)
    with s.store.transaction() as tx:
        policy = tx.policy()
        named = named_model(asked.rest, ROLLBACK, tx)
        target, reason = target_in(named.rest, named, policy, ROLLBACK)
        rule = rule_for_new(named.place, named.model, target, policy)
        holding = next((h for h in tx.registry.placements(named.place, named.model) if h.target == target), None)
        request = tx.requests.get(holding.request_id) if holding and holding.request_id else None
        renames = tx.custody.renames(named.place)
        may_undo = request is not None and context_for(request, tx, s.clock.now()).may_undo
    person = approver_under(rule, asked.account, s)
    if not reason:
        holder, before = foreseen(named.model, target, None, s, named.place)
        with s.store.transaction() as tx:
            careful = warning_on_record(before, tx)
        return said(
            _("Roll back"),
            _(
                "{target} would go back from {version} to {before}. Nothing was done.",
                target=str(target),
                version=version_name(holder),
                before=version_name(before),
            ),
            *([careful] if careful else []),
            _('To do it, say why: "{usage}"', usage=ROLLBACK),
        )
    ask = Ask(AskKind.UNDO if may_undo else AskKind.ROLLBACK)
    undone = request_now(request, renames).version if request is not None and may_undo else None
    why = readable(reason)
    asked_for = roll_back(named.model, target, None, why, person.email, ask, s, held_by=undone, workspace=named.place)
    text = _(
        "Recorded: {target} is asked to go back to {version}. Its card comes to {channel}, and says whether votes are needed.",
        target=target_label(asked_for),
        version=version_name(asked_for.version),
        channel=rule.channel,
    )
    return said(_("Roll back"), text)


def break_glass(asked: Asked, s: Services) -> Card:
    """Opens a form, which says what will happen and asks again. What is sent there is recorded, with Slack's signature."""
    check_is_member(asked, s)
    with s.store.transaction() as tx:
        policy = tx.policy()
        named = named_model(asked.rest, BREAK_GLASS, tx)
    number, rest = version_in(named.rest, BREAK_GLASS)
    target, reason = target_in(rest, named, policy, BREAK_GLASS)
    click = Click(asked.team, asked.app, "", "", asked.account, ACTION, "", asked.trigger, readable(reason))
    offer_form(click, Wanted(named.place, named.model, number, target), s)
    return said(_("Break the glass"), _("Nothing is done yet: read the form that has opened, and send it."))


def freeze(asked: Asked, s: Services) -> Card:
    """The freezes of the policy: which are on, until when, and for which rules."""
    nothing_after(asked)
    check_is_member(asked, s)
    policy, now = s.store.policy(), s.clock.now()
    facts, on = [], 0
    for one in policy.freezes:
        until = one.until(now)
        on += until is not None
        rules = ", ".join(rule.label for rule in policy.rules if one.name in rule.freezes) or _("no rule")
        state = _("on until {until}", until=until) if until is not None else _("not on")
        facts.append(Fact(one.name, _("{state}; for {rules}", state=state, rules=rules)))
    if not facts:
        none = _("The policy has no freezes: what is approved is applied at once.")
        return said(_("Freezes"), none, _(HOW_TO_FREEZE))
    text = ngettext("{count} freeze is on.", "{count} freezes are on.", on) if on else _("No freeze is on.")
    return listing(_("Freezes"), sentences(text, _(HOW_TO_FREEZE)), facts)
