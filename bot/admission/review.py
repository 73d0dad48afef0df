"""AdmissionReview v1 in and out, and nothing else: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.admission.objects import Named, TooDeep, named_in
from bot.errors import Rejected

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
LONGEST_WARNING = 256  # characters; the API server cuts warnings and, beyond 4,096 in all, leaves them out
MOST_WARNINGS = 10
FORBIDDEN = 403


@dataclass(frozen=True)
class Question:
    """`before` is what an update replaces; None for a new object. `asks` is False for what changes no model, such as a deletion."""

    uid: str
    namespace: str
    kind: str
    name: str
    named: Named
    before: Named | None = None
    asks: bool = True
    has_annotations: bool = True

    @property
    def is_unchanged(self) -> bool:
        """An update that names the same models, such as of a label: refusing it would only keep people from cleaning up."""
        return self.before == self.named


@dataclass(frozen=True)
class Answer:
    """`reasons` say why it is refused. `annotations` are what a mutating webhook adds."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def read_review(body: bytes) -> Question:
    """Raises Rejected."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("bad_review", "the body is no JSON", 400) from None
    if not isinstance(said, dict) or said.get("apiVersion") != API_VERSION or said.get("kind") != KIND:
        raise Rejected("bad_review", f"only {API_VERSION} {KIND} is understood", 400)
    request = said.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str) or not request["uid"]:
        raise Rejected("bad_review", "the review has no request with a uid", 400)
    kind = request.get("kind")
    name = kind.get("kind") if isinstance(kind, dict) else None
    content, before = request.get("object"), request.get("oldObject")
    asks = request.get("operation") in ("CREATE", "UPDATE")
    try:
        named = named_in(str(name or ""), content) if asks and isinstance(content, dict) else Named(str(name or ""))
        was = named_in(str(name or ""), before) if asks and isinstance(before, dict) else None
    except TooDeep:
        raise Rejected("bad_review", "the object is nested too deep", 400) from None
    metadata = content.get("metadata") if isinstance(content, dict) else None
    return Question(
        uid=request["uid"],
        namespace=str(request.get("namespace") or ""),
        kind=str(name or ""),
        name=str(request.get("name") or ""),
        named=named,
        before=was,
        asks=asks,
        has_annotations=isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict),
    )


def as_review(question: Question, answer: Answer) -> Mapping[str, object]:
    """The body of the response; always sent with status 200, which says that there is an answer."""
    response: dict[str, object] = {"uid": question.uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {"code": FORBIDDEN, "reason": "Forbidden", "message": " ".join(answer.reasons)}
    if answer.warnings:
        response["warnings"] = [_shortened(one) for one in answer.warnings[:MOST_WARNINGS]]
    if answer.allowed and answer.annotations:
        patch = _patch(answer.annotations, has_some=question.has_annotations)
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _patch(annotations: Mapping[str, str], *, has_some: bool) -> Sequence[Mapping[str, object]]:
    """JSON Patch (RFC 6902), whose `add` replaces what is there."""
    if not has_some:
        return [{"op": "add", "path": "/metadata/annotations", "value": dict(annotations)}]
    return [
        {"op": "add", "path": f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}", "value": text}
        for key, text in annotations.items()
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_WARNING else f"{text[: LONGEST_WARNING - 1]}…"
