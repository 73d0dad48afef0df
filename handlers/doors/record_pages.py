"""Door: the pages of what was recorded: one request, the ledger, past digests. They change nothing, but for the sign-off of a digest."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue

from bot.domain.digest.sign_off import REMARK_LIMIT
from bot.domain.queries import description_text as words
from bot.errors import NotFound, Refused
from bot.language import _
from bot.reports.html import html_of, policy_of
from bot.reports.records import file_names
from bot.services import Services
from handlers.digest.reprint import Told, tell_again
from handlers.digest.sign_off import sign_off, still_wanted
from handlers.doors.errors import as_sentence, text_of
from handlers.doors.readers import Readers, may_be_in
from handlers.doors.web_frame import Frame
from handlers.queries.ledger_page import ledger_page
from handlers.queries.overview import request_page
from handlers.request.voters import person_of

HTML = "text/html; charset=utf-8"
WEEKS_A_PAGE = 30
LARGEST_ENTRY = 2**62
CONFLICT = 409


def record_pages(s: Services, readers: Readers, frame: Frame) -> Blueprint:
    door = Blueprint("record_pages", __name__)

    @door.get("/requests/<beginning>")
    def one_request(beginning: str) -> ResponseReturnValue:
        reader = readers.reader()
        found = request_page(beginning, s)
        return frame.show("request.html", reader, found=found, told=found.told, words=words)

    @door.get("/ledger")
    def ledger() -> ResponseReturnValue:
        reader = readers.reader()
        upto = request.args.get("upto", "").strip()
        before = _number(request.args.get("before", ""))
        number = _number(upto)
        found = ledger_page(before if number is None else number + 1, s)
        return frame.show("ledger.html", reader, found=found, upto=upto)

    @door.get("/digests")
    def digests() -> ResponseReturnValue:
        reader = readers.reader()
        with s.store.transaction() as tx:
            found = tx.digests.weeks(request.args.get("before", ""), WEEKS_A_PAGE + 1)
        weeks = found[:WEEKS_A_PAGE]
        more = f"?before={weeks[-1][0].week}" if len(found) > WEEKS_A_PAGE else ""
        return frame.show("digests.html", reader, weeks=weeks, more=more)

    @door.get("/digests/<week>")
    def digest(week: str) -> ResponseReturnValue:
        reader = readers.reader()
        found = _closed(week)
        row = found.row
        with s.store.transaction() as tx:
            asked = still_wanted(row, tx)
        return frame.show(
            "digest.html",
            reader,
            row=row,
            week=row.period.week,
            names=file_names(row.period.week),
            signed=as_sentence(found.signed) if found.signed else "",
            wanted=asked[0] if asked else None,
            may_sign=asked is not None and may_be_in(asked[1], reader, s),
            limit=REMARK_LIMIT,
        )

    @door.post("/digests/<week>/sign-off")
    def digest_sign_off(week: str) -> ResponseReturnValue:
        reader = readers.check_form()
        week = _closed(week).row.period.week
        try:
            person = person_of(reader.account, s)
            sign_off(week, request.form.get("digest", ""), person, request.form.get("remark", ""), s)
        except Refused as refusal:
            return frame.refuse(_("Not signed off"), text_of(refusal), CONFLICT, reader=reader, back=f"/digests/{week}")
        return redirect(f"/digests/{week}", 303)

    @door.get("/digests/<week>/<file>")
    def digest_file(week: str, file: str) -> ResponseReturnValue:
        """The report opens in the browser under its own policy; all others are downloads."""
        readers.reader()
        found = _closed(week)
        row, names = found.row, file_names(found.row.period.week)
        if file == names.html:
            page = html_of(found.digest, s.templates, found.signed)
            policy = f"{policy_of(s.templates)}; frame-ancestors 'none'"
            return Response(page, content_type=HTML, headers={"Content-Security-Policy": policy})
        contents: dict[str, tuple[bytes, str]] = {
            names.pdf: (row.pdf, "application/pdf"),
            names.holdings: (row.holdings.encode(), "text/csv; charset=utf-8"),
            names.waiting: (row.waiting.encode(), "text/csv; charset=utf-8"),
            names.figures: (row.figures.encode(), "application/json"),
        }
        if file not in contents:
            raise NotFound(_("{week} has no file {file} here", week=row.period.week, file=file[:80]))
        content, kind = contents[file]
        return Response(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{file}"'})

    def _closed(week: str) -> Told:
        """Compared with the ledger."""
        with s.store.transaction() as tx:
            known = tx.digests.find(week) is not None
        if not known:
            raise NotFound(_("{week} is no closed week. The list of digests has all that are", week=week[:20]))
        return tell_again(week, s)

    frame.protect(door)
    return door


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(_('"{text}" is not the number of an entry', text=text[:40]))
    return min(int(text), LARGEST_ENTRY)
