"""What whoever opens a request in words gets to know of it: through the API and on the command line alike."""

from __future__ import annotations

from bot.domain.model import Kind, TransitionRequest
from bot.domain.request.askers import is_stranger
from bot.services import Services
from handlers.evidence.way_back import warning_on_record
from handlers.request.rollbacks import what_follows


def answer_to(opened: TransitionRequest, s: Services) -> dict[str, str]:
    """`card_url`, `ticket` and `ticket_url` are there once a worker has made them.

    For a rollback, `next` says whether the target moves at once. A `warning` is there when nobody is known by the address of who asked,
    and for a rollback also when some of what its approval rests on is known to be gone.
    """
    known = {
        "id": opened.id,
        "state": str(opened.state),
        "version": str(opened.version),
        "target": str(opened.target),
        "card_url": opened.card.url if opened.card else "",
        "ticket": opened.ticket.key if opened.ticket else "",
        "ticket_url": opened.ticket.url if opened.ticket else "",
    }
    if opened.kind is Kind.ROLLBACK:
        known |= {"next": what_follows(opened, s), "warning": _warning(opened, s)}
    else:
        known |= {"warning": _unknown_asker(opened, s)}
    return {name: text for name, text in known.items() if text}


def _warning(opened: TransitionRequest, s: Services) -> str:
    """As one text without its full stop."""
    with s.store.transaction() as tx:
        careful = warning_on_record(opened.version, tx)
    return " ".join(filter(None, (careful, _stranger(opened, s)))).rstrip(".")


def _unknown_asker(opened: TransitionRequest, s: Services) -> str:
    """The votes that are needed are those for a known requester: it is only found out later that nobody has the address."""
    if opened.requester is None:
        return ""
    with s.store.transaction() as tx:
        person, policy = tx.people.get(opened.requester), tx.policy()
    if not is_stranger(person.email, person.account, policy):
        return ""
    return (
        f"the policy does not name {person.email}, and no Slack account is known for it yet. It counts as a known requester all the same; "
        "if Slack does not know it either, the card warns the approvers"
    )


def _stranger(opened: TransitionRequest, s: Services) -> str:
    if opened.requester is None:
        return ""
    with s.store.transaction() as tx:
        email = tx.people.get(opened.requester).email
        if tx.policy().person_by_email(email) is not None:
            return ""
    return f"the policy names no one with the address {email}. It is on record as the one who moved production: let your approvers know"
