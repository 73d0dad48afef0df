"""One call in every spelling that HTTP, JSON and their servers may read in two ways: MLflow moves nothing, and the guard says so."""

from __future__ import annotations

import gzip
import json
import re
import socket
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import statement_for
from tests.fixtures.installation import PATIENCE
from tests.guard.guarded_server import BOTS_WEBHOOK, HEADER, SECRET, StandIn, wait_until
from tests.guard.registry import AJAX, ALIAS, REST, Registry, does_not_move, govern, refused

MOVE = {"name": "bike-demand", "alias": "champion", "version": "2"}
FREE = {"name": "free", "alias": "champion", "version": "1"}
BODY = json.dumps(MOVE).encode()
HARMLESS = json.dumps(FREE).encode()
JSON = "Content-Type: application/json"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True)
class Spelling:
    """A request as it goes over the wire. `framing` takes the place of a Content-Length."""

    target: str = ALIAS
    method: str = "POST"
    headers: tuple[str, ...] = (JSON,)
    body: bytes = BODY
    framing: tuple[str, ...] = ()
    protocol: str = "HTTP/1.1"

    def sent(self, registry: Registry, more: Mapping[str, str]) -> tuple[int, str]:
        """The last status, and all that the server said."""
        framing = self.framing or (f"Content-Length: {len(self.body)}",)
        named = tuple(f"{name}: {value}" for name, value in more.items())
        close = (*self.headers, *framing, *named, "Connection: close")
        return on_the_wire(registry, request(registry, self, close))


def request(registry: Registry, spelling: Spelling, headers: tuple[str, ...]) -> bytes:
    own = {line.partition(":")[0].strip().lower() for line in headers}
    host = () if "host" in own else (f"Host: {urlsplit(registry.server.url).netloc}",)
    auth = registry.server.auth
    account = (f"Authorization: Basic {b64encode(':'.join(auth).encode()).decode()}",) if auth else ()
    head = (f"{spelling.method} {spelling.target} {spelling.protocol}", *host, *account, *headers, "", "")
    return "\r\n".join(head).encode("latin-1") + spelling.body


def on_the_wire(registry: Registry, content: bytes) -> tuple[int, str]:
    """Until the server closes the connection, which each last request asks for."""
    address = urlsplit(registry.server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), PATIENCE) as connection:
        said = bytearray()
        try:
            connection.sendall(content)
            while part := connection.recv(1 << 16):
                said += part
        except ConnectionError:  # a server that refuses a request need not read the rest of it
            pass
    statuses = [int(status) for status in STATUS.findall(said)]
    return (statuses[-1] if statuses else 0), said.decode("latin-1")


def chunks(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + end


def json_of(text: str) -> Spelling:
    return Spelling(body=text.encode())


CHUNKED = "Transfer-Encoding: chunked"
MODELS = f"{REST}/registered-models"
FORM = "multipart/form-data; boundary=x"
IN_A_FORM = b'--x\r\nContent-Disposition: form-data; name="json"\r\n\r\n' + BODY + b"\r\n--x--\r\n"

ADDRESSES = {
    "api": Spelling(),
    "ajax-api": Spelling(f"{AJAX}/registered-models/alias"),
    "two slashes": Spelling(f"/{ALIAS}"),
    "two slashes within": Spelling(f"{MODELS}//alias"),
    "a trailing slash": Spelling(f"{ALIAS}/"),
    "percent encoding": Spelling(f"{REST}/registered%2Dmodels/ali%61s"),
    "an encoded slash": Spelling(f"{MODELS}%2Falias"),
    "all slashes encoded": Spelling(f"/{quote(ALIAS[1:], safe='')}"),
    "encoded twice": Spelling(f"{MODELS}%252Falias"),
    "a dot": Spelling(f"{REST}/./registered-models/alias"),
    "up and down": Spelling(f"{REST}/x/../registered-models/alias"),
    "encoded up and down": Spelling(f"{REST}/x/%2e%2e/registered-models/alias"),
    "upper case": Spelling(f"{MODELS}/ALIAS"),
    "parameters of the path": Spelling(f"{ALIAS};a=b"),
    "a query": Spelling(f"{ALIAS}?name=free&alias=x"),
    "a fragment": Spelling(f"{ALIAS}#x"),
    "a backslash": Spelling(f"{MODELS}\\alias"),
    "a NUL": Spelling(f"{ALIAS}%00"),
    "a blank": Spelling(f"{ALIAS}%20"),
    "a new line": Spelling(f"{ALIAS}%0a"),
    "a whole address": Spelling(f"http://127.0.0.1{ALIAS}"),
    "another host's whole address": Spelling(f"http://example.com{ALIAS}"),
    "another version": Spelling("/api/3.0/mlflow/registered-models/alias"),
    "the preview": Spelling("/api/2.0/preview/mlflow/registered-models/alias"),
    "below a path": Spelling(f"/x{ALIAS}", headers=(JSON, "SCRIPT_NAME: /x", "X-Forwarded-Prefix: /x")),
}
METHODS = {
    "in lower case": Spelling(method="post"),
    "put": Spelling(method="PUT"),
    "patch": Spelling(method="PATCH"),
    "get with a body": Spelling(method="GET"),
    "get by a query": Spelling(f"{ALIAS}?name=bike-demand&alias=champion&version=2", method="GET", body=b""),
    "by a query": Spelling(f"{ALIAS}?name=bike-demand&alias=champion&version=2", body=b""),
    "get that means post": Spelling(method="GET", headers=(JSON, "X-HTTP-Method-Override: POST")),
    "options that means post": Spelling(method="OPTIONS", headers=(JSON, "X-Method-Override: POST")),
    "post that means get": Spelling(headers=(JSON, "X-HTTP-Method-Override: GET", "X-HTTP-Method: GET")),
    "post that means get by a query": Spelling(f"{ALIAS}?_method=GET"),
}
HEADERS = {
    "plain text": Spelling(headers=("Content-Type: text/plain",)),
    "no type": Spelling(headers=()),
    "an empty type": Spelling(headers=("Content-Type:",)),
    "a form": Spelling(headers=("Content-Type: application/x-www-form-urlencoded",)),
    "within a form": Spelling(headers=(f"Content-Type: {FORM}",), body=IN_A_FORM),
    "two types": Spelling(headers=("Content-Type: text/plain", JSON)),
    "another charset": Spelling(headers=(f"{JSON}; charset=utf-16",)),
    "UTF-7": Spelling(headers=(f"{JSON}; charset=utf-7",), body=BODY.decode().encode("utf-7")),
    "an unknown charset": Spelling(headers=(f"{JSON}; charset=rot13",)),
    "gzip": Spelling(headers=(JSON, "Content-Encoding: gzip"), body=gzip.compress(BODY)),
    "said to be gzip": Spelling(headers=(JSON, "Content-Encoding: gzip")),
    "deflate": Spelling(headers=(JSON, "Content-Encoding: deflate"), body=zlib.compress(BODY)),
    "a forged host": Spelling(headers=(JSON, "Host: 127.0.0.1/api/2.0/mlflow/experiments/search?")),
    "another address": Spelling(headers=(JSON, "X-Original-URL: /health", "X-Rewrite-URL: /health")),
    "another workspace": Spelling(headers=(JSON, "X-MLFLOW-WORKSPACE: team-b")),
    "a wrong secret": Spelling(headers=(JSON, f"{HEADER}: {SECRET[:-1]}")),
    "an empty secret": Spelling(headers=(JSON, f"{HEADER}:")),
    "no ASCII in the secret": Spelling(headers=(JSON, f"{HEADER}: é")),
}
FRAMES = {
    "in chunks": Spelling(framing=(CHUNKED,), body=chunks(BODY[:20], BODY[20:])),
    "in chunks of one byte": Spelling(framing=(CHUNKED,), body=chunks(*(bytes([one]) for one in BODY))),
    "with a trailer": Spelling(framing=(CHUNKED,), body=chunks(BODY, end=b"Content-Type: text/plain\r\n\r\n")),
    "chunks and a length": Spelling(framing=(CHUNKED, "Content-Length: 4"), body=chunks(BODY)),
    "a length and chunks": Spelling(framing=(f"Content-Length: {len(BODY) + 12}", CHUNKED), body=chunks(BODY)),
    "chunks in capitals": Spelling(framing=("TRANSFER-ENCODING: CHUNKED",), body=chunks(BODY)),
    "chunks after gzip": Spelling(framing=("Transfer-Encoding: gzip, chunked",), body=chunks(gzip.compress(BODY))),
    "chunks twice": Spelling(framing=(CHUNKED, CHUNKED), body=chunks(BODY)),
    "the length twice": Spelling(framing=(f"Content-Length: {len(BODY)}",) * 2),
    "two lengths": Spelling(framing=("Content-Length: 0", f"Content-Length: {len(BODY)}")),
    "two lengths, the longer first": Spelling(framing=(f"Content-Length: {len(BODY)}", "Content-Length: 0")),
    "a length with a sign": Spelling(framing=(f"Content-Length: +{len(BODY)}",)),
    "the old protocol": Spelling(protocol="HTTP/1.0"),
    "after an invitation": Spelling(headers=(JSON, "Expect: 100-continue")),
}
BODIES = {
    "encoded twice": json_of(json.dumps(json.dumps(MOVE))),
    "encoded three times": json_of(json.dumps(json.dumps(json.dumps(MOVE)))),
    "name twice": json_of('{"name": "free", "name": "bike-demand", "alias": "champion", "version": "2"}'),
    "alias twice": json_of('{"name": "bike-demand", "alias": "x", "alias": "champion", "version": "2"}'),
    "version twice": json_of('{"name": "bike-demand", "alias": "champion", "version": "1", "version": "2"}'),
    "a null first": json_of('{"name": null, "name": "bike-demand", "alias": "champion", "version": "2"}'),
    "a number": json_of('{"name": "bike-demand", "alias": "champion", "version": 2}'),
    "escaped": json_of('{"name": "bike-demand", "alias": "\\u0063hampion", "version": "2"}'),
    "escaped keys": json_of('{"n\\u0061me": "bike-demand", "\\u0061lias": "champion", "version": "2"}'),
    "unknown field": json_of('{"name": "bike-demand", "alias": "champion", "version": "2", "more": "x"}'),
    "an unknown field first": json_of('{"more": {}, "name": "bike-demand", "alias": "champion", "version": "2"}'),
    "a wrong field first": json_of('{"name": ["free"], "alias": "champion", "version": "2", "name": "bike-demand"}'),
    "in a list": json_of(json.dumps([MOVE])),
    "more after it": Spelling(body=BODY + HARMLESS),
    "something before it": Spelling(body=HARMLESS + b"\n" + BODY),
    "blanks around it": Spelling(body=b" \r\n\t" + BODY + b"\n"),
    "a byte order mark": Spelling(body=b"\xef\xbb\xbf" + BODY),
    "UTF-16": Spelling(body=BODY.decode().encode("utf-16")),
    "UTF-16 without a mark": Spelling(body=BODY.decode().encode("utf-16-le")),
    "UTF-32": Spelling(body=BODY.decode().encode("utf-32")),
    "no UTF-8": Spelling(body=BODY[:-1] + b', "more": "\xff"}'),
    "a NUL in the name": json_of(json.dumps(MOVE | {"name": "bike-demand\x00"})),
    "a NUL in the alias": json_of(json.dumps(MOVE | {"alias": "champion\x00"})),
    "large": json_of(json.dumps(MOVE | {"more": "x" * 2_000_000})),
    "deep": json_of('{"more": ' + "[" * 50_000 + "]" * 50_000 + f", {json.dumps(MOVE)[1:]}"),
}
SPELLINGS = ADDRESSES | METHODS | HEADERS | FRAMES | BODIES


@pytest.mark.parametrize("how", list(SPELLINGS))
def test_no_spelling_of_the_call_moves_the_alias(registry: Registry, how: str) -> None:
    does_not_move(registry, lambda more: SPELLINGS[how].sent(registry, more))


def test_many_spellings_reach_mlflow_and_are_refused_with_the_sentence(registry: Registry) -> None:
    """Otherwise the test above could only show that MLflow reads none of them."""
    plain = ("api", "ajax-api", "percent encoding", "an encoded slash", "a query")
    framed = ("the old protocol", "after an invitation")
    bodies = ("encoded twice", "name twice", "a number", "escaped", "a byte order mark", "UTF-16", "UTF-32", "large")

    said = {how: SPELLINGS[how].sent(registry, {}) for how in (*plain, *framed, *bodies)}

    assert {
        how: text for how, (status, text) in said.items() if status != 403 or "governed by Countersign" not in text
    } == {}


@pytest.mark.proof
def test_a_body_of_a_hundred_megabytes_moves_nothing(registry: Registry) -> None:
    large = json_of(json.dumps({"more": "x" * 100_000_000} | MOVE))

    does_not_move(registry, lambda more: large.sent(registry, more))


def test_a_second_request_on_the_connection_is_judged_like_the_first(registry: Registry) -> None:
    """The length of the first ends before the second, as with a request that a proxy took for one. gunicorn answers the first alone."""
    first = Spelling(f"{REST}/registered-models/create", body=b"{}")
    kept = request(registry, first, (JSON, f"Content-Length: {len(first.body)}"))
    second = request(registry, Spelling(), (JSON, f"Content-Length: {len(BODY)}", "Connection: close"))

    _, said = on_the_wire(registry, kept + second)

    assert "governed by Countersign" in said or len(STATUS.findall(said.encode("latin-1"))) == 1
    assert registry.aliases() == {"champion": "1"}


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {"name": "bike-demand", "alias": "champion"}),
        ("?name=free&alias=x", {"name": "bike-demand", "alias": "champion"}),
        ("?name=bike-demand&alias=champion", None),
        ("?name=bike-demand&alias=champion", {"name": "free", "alias": "x"}),
    ],
)
def test_the_alias_is_not_deleted_by_body_or_query(registry: Registry, query: str, body: object) -> None:
    """MLflow reads the body alone, except with GET."""
    answer = registry.call("DELETE", f"{ALIAS}{query}", body)

    assert registry.aliases() == {"champion": "1"}
    if body == {"name": "bike-demand", "alias": "champion"}:
        refused(answer, "alias:champion of bike-demand")


def freeing(bot: StandIn, how: str) -> str:
    """A list in which nothing is governed, and what is wrong with it."""
    issued = {"older": bot.issued - timedelta(days=1), "from the future": datetime.now(UTC) + timedelta(hours=1)}
    registry = "eu" if how == "of another registry" else "default"
    at = issued.get(how, bot.issued + timedelta(seconds=1))
    signer = StandIn() if how == "signed by another key" else bot
    signed = signer.sign(payload_of(statement_for(registry, (), (), BOTS_WEBHOOK, at)))
    if how != "with the signature of another":
        return signed
    return json.dumps(json.loads(signed) | {"signatures": json.loads(bot.answer or "")["signatures"]})


@pytest.mark.parametrize(
    "how",
    ["older", "from the future", "of another registry", "signed by another key", "with the signature of another"],
)
def test_a_forged_or_old_list_frees_nothing(registry: Registry, how: str) -> None:
    bot = registry.server.bot
    kept, asked = bot.answer, bot.asked
    bot.answer = freeing(bot, how)
    wait_until(lambda: bot.asked >= asked + 2)

    answer = registry.call("POST", ALIAS, MOVE)

    bot.answer = kept
    refused(answer, "governed by Countersign")


def test_only_a_newer_list_of_the_bots_own_frees_what_was_governed(registry: Registry) -> None:
    registry.server.bot.govern(())
    wait_until(lambda: registry.call("POST", ALIAS, MOVE).ok)
    moved = registry.aliases()
    registry.server.as_bot("POST", ALIAS, MOVE | {"version": "1"})
    govern(registry.server, registry.approved)

    assert moved == {"champion": "2"}
    assert registry.aliases() == {"champion": "1"}
