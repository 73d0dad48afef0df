"""The digest as a mail: a short text and the same in HTML. Pure. The report is attached as a file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bot.domain.digest import sentences as words
from bot.domain.digest.card import ReportFile, checkpoint_text
from bot.domain.digest.figures import Digest, Finding
from bot.domain.digest.overview import overview
from bot.language import _, now_reading

MATTERS_SHOWN = 20
STYLE = "font:15px/1.5 Arial,Helvetica,sans-serif;color:#1e1f21;background:#ffffff;max-width:46em"
NAME = "text-align:left;vertical-align:top;padding:2px 16px 2px 0;font-weight:600"
WEB = ("https://", "http://")


def mail_text(digest: Digest, files: Sequence[ReportFile]) -> str:
    parts = (
        f"{words.title(digest)}\n{words.period_text(digest.period)}\n\n{_line(words.summary(digest))}",
        "\n".join(f"{name}: {_line(figure)}" for name, figure in overview(digest)),
        "\n".join(_matters(digest)),
        "\n".join(f"{file.name}\n  {file.in_words}" for file in files),
        checkpoint_text(digest),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def mail_html(digest: Digest, files: Sequence[ReportFile]) -> str:
    """Without external pictures or stylesheets, which mail programs do not load."""
    files_and_ledger = escape(_("Files and ledger"))
    return (
        f'<!doctype html><html lang="{now_reading()}"><head><meta charset="utf-8"><title>{escape(words.title(digest))}</title></head>'
        f'<body style="{STYLE}"><h1 style="font-size:20px">{escape(words.title(digest))}</h1>'
        f"<p>{escape(words.period_text(digest.period))}</p><p>{_shown(words.summary(digest))}</p>"
        f"{_table(overview(digest))}{_attention(digest)}"
        f'<h2 style="font-size:16px">{files_and_ledger}</h2>{_table([(file.name, file.in_words) for file in files])}'
        f"{_checkpoint(digest)}</body></html>\n"
    )


def _matters(digest: Digest) -> list[str]:
    shown = digest.attention.shown[:MATTERS_SHOWN]
    lines = [f"- {_line(one.sentence)}" + (f"\n  {one.link}" if one.link.startswith(WEB) else "") for one in shown]
    return [_("What needs attention"), *lines, *_more(digest)] if lines else []


def _more(digest: Digest) -> list[str]:
    hidden = digest.attention.total - min(MATTERS_SHOWN, len(digest.attention.shown))
    return [_("and {count} more: see the report", count=hidden)] if hidden else []


def _attention(digest: Digest) -> str:
    shown = digest.attention.shown[:MATTERS_SHOWN]
    if not shown:
        return ""
    items = [_item(one) for one in shown] + [f"<li>{escape(more)}</li>" for more in _more(digest)]
    title = escape(_("What needs attention"))
    return f'<h2 style="font-size:16px">{title}</h2><ul>{"".join(items)}</ul>'


def _item(matter: Finding) -> str:
    said = _shown(matter.sentence)
    is_linked = matter.link.startswith(WEB)
    return f"<li>{f'<a href={chr(34)}{escape(matter.link)}{chr(34)}>{said}</a>' if is_linked else said}</li>"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row" style="{NAME}">{escape(name)}</th><td>{_shown(said)}</td></tr>' for name, said in rows
    )
    return f"<table>{cells}</table>"


def _checkpoint(digest: Digest) -> str:
    said, _, note = checkpoint_text(digest).partition("\n\n")
    return f"<p>{escape(said)}</p><pre>{escape(note)}</pre>" if said else ""


def _shown(said: str) -> str:
    """Isolates untrusted text, so that right-to-left text does not affect the rest of the line."""
    return f"<bdi>{escape(_line(said))}</bdi>"


def _line(said: str) -> str:
    """One line, without characters that mail does not allow."""
    return "".join(letter for letter in " ".join(said.split()) if letter.isprintable())
