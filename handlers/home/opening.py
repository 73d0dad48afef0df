"""A person's own page: it is opened, and they choose on it; then it is shown, and kept up to date while they may be looking.

Opening and choosing are recorded, and the page is published by an effect. Each person has a lane, so no two of them race. What has
changed since is looked for once a minute, and only for people who have opened their page lately: however much happens, nobody's page is
published more than once a minute without a press of theirs, and never when it would show the same.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.engine.lanes import Lane
from bot.errors import Permanent, Refused
from bot.language import _
from bot.ports.home import Deed, HomePress, ShownSince
from bot.services import Services
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from handlers.home.page import page_for
from handlers.notify.readers import for_account

log = structlog.get_logger()
LATELY = timedelta(hours=1)
KEPT_UP = 100  # pages a minute: Slack takes about as many calls of views.publish


def open_home(account: str, s: Services) -> None:
    """The person has opened it."""
    with s.store.transaction() as tx:
        HomeRows(tx.connection).open(account, s.clock.now())
        _show_soon(account, tx)


def choose(press: HomePress, s: Services) -> None:
    """Another model, or another page of a list."""
    if press.deed is Deed.FILTER:
        state = press.state.filtered(press.chosen)
    elif press.deed is Deed.ALL_MODELS:
        state = press.state.filtered("")
    elif press.deed in (Deed.OLDER, Deed.NEWER) and press.section is not None:
        state = press.state.turned(press.section, 1 if press.deed is Deed.OLDER else -1)
    else:
        raise Refused(_('this button says "{action}", which Countersign does not know', action=str(press.deed)))
    with s.store.transaction() as tx:
        HomeRows(tx.connection).open(press.account, s.clock.now(), state)
        _show_soon(press.account, tx)


def show_home(account: str, s: Services) -> None:
    """Publishes the page as it is now. Safe to repeat, and to run late: the row says what the person has chosen."""
    try:
        _publish(account, s)
    except ShownSince:  # by a worker that was believed dead, or before a release: what is to be shown now is read again
        with s.store.transaction() as tx:
            HomeRows(tx.connection).put_shown(account, "", "")
        _publish(account, s)


def refresh_homes(_subject: str, s: Services) -> None:
    """Once a minute: shows the pages that people have opened lately again, where they would show something else."""
    with s.store.transaction() as tx:
        for account in HomeRows(tx.connection).opened_since(s.clock.now() - LATELY, KEPT_UP):
            tx.defer("refresh_home", account, _lane(account), once=True)


def refresh_home(account: str, s: Services) -> None:
    """As `show_home`, unless the person sees the same already."""
    try:
        _publish(account, s, only_news=True)
    except ShownSince:
        show_home(account, s)
    except Permanent as refusal:  # they left, or the tab was switched off: the next opening says so
        log.warning("home_not_kept_up", account=account, why=str(refusal))


def _publish(account: str, s: Services, *, only_news: bool = False) -> None:
    with s.store.transaction() as tx:
        row = HomeRows(tx.connection).find(account)
    if row is None:
        return  # forgotten since
    with for_account(account, s):
        page = page_for(account, row.state, s)
        if only_news and page.digest == row.shown:
            return
        mark = s.home.publish(account, page, row.mark)
    with s.store.transaction() as tx:
        HomeRows(tx.connection).put_shown(account, page.digest, mark)


def _show_soon(account: str, tx: Transaction) -> None:
    tx.defer("show_home", account, _lane(account), once=True)


def _lane(account: str) -> str:
    return f"{Lane.HOMES}:{account}"
