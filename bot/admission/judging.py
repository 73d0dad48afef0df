"""Asks the gate about each model that an object names, and says what the API server is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from bot.admission.objects import MODEL, UNSEEN, Named
from bot.admission.plan import Mode, NamespaceRule, Plan
from bot.admission.provenance import Provenance, annotations_of, provenance_of
from bot.admission.review import Answer, Question
from bot.domain.attestation.gate import GateResult
from bot.domain.model import Target, TargetKind
from bot.domain.seals.places import SCHEME as SCHEME_OF_STORES
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import NoAnswer, Refused
from bot.gate.checks import Proof, check
from bot.gate.places import asker_of
from bot.gate.registry import Registry, registry_of
from bot.gate.uris import Wanted
from bot.language import capitalised

MOST = 20  # models in one object
SEALED_PLACE = re.compile(
    r"/(?P<registry>[^/]+)/(?P<workspace>[^/]+)/(?P<model>[^/]+)/v(?P<version>[1-9][0-9]{0,8})-[0-9a-f]{16}/[0-9a-f]{64}/model$"
)
SCHEME = re.compile(r"(models|mlflow-artifacts|runs):/+", re.IGNORECASE)
LOGGED_MODEL = re.compile(r"(?:^models:/|/)(?P<id>m-[0-9a-f]{32})(?:/|$)")
AT_ONCE = 16  # questions to the gate


@dataclass(frozen=True)
class Found:
    """What the gate says of one model that an object names."""

    result: GateResult | None
    sentence: str = ""
    provenance: Provenance | None = None

    @property
    def allowed(self) -> bool:
        return self.result is not None and self.result.allowed


@dataclass(frozen=True)
class SealedVersion:
    """What an address in a sealed store is named for."""

    place: Workspace
    wanted: Wanted


class Judge:
    """`environ` has the settings of MLflow's client, as for `countersign gate check`."""

    def __init__(self, plan: Plan, proof: Proof, environ: Mapping[str, str]) -> None:
        self.plan, self.proof, self.environ = plan, proof, dict(environ)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gate")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def may_run(self, question: Question, seconds: float) -> Answer:
        """For a validating webhook. It answers within `seconds`; what the gate cannot tell by then is refused."""
        rule = self.plan.rule_for(question.namespace)
        if rule is None or not question.asks or question.is_unchanged:
            return Answer(allowed=True)
        reasons, warnings = self._judged(question, rule, seconds)
        if reasons and rule.mode is Mode.AUDIT:
            return Answer(allowed=True, warnings=tuple(f"Countersign would refuse this: {one}" for one in reasons))
        return Answer(allowed=not reasons, reasons=reasons, warnings=warnings)

    def annotated(self, question: Question, seconds: float) -> Answer:
        """For a mutating webhook: says with which commit and data the approved models were trained. It never refuses."""
        rule = self.plan.rule_for(question.namespace)
        if rule is None or not question.asks or question.named.is_empty:
            return Answer(allowed=True)
        try:
            found = self._ask_all(question.named, rule, seconds)
        except Refused:
            return Answer(allowed=True)
        known = [one.provenance for one in found if one.allowed and one.provenance is not None]
        return Answer(allowed=True, annotations=annotations_of(known) if len(known) == len(found) else {})

    def _judged(
        self, question: Question, rule: NamespaceRule, seconds: float
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Reasons against it, and warnings."""
        named = question.named
        if named.is_empty:
            lacks = rule.require and named.runs_pods
            return ((_names_no_model(question, rule),) if lacks else ()), ()
        try:
            found = self._ask_all(named, rule, seconds)
        except Refused as refusal:
            return (_sentence(str(refusal)),), ()
        refused = tuple(one.sentence for one in found if not one.allowed)
        if refused:
            return refused, ()
        lies = _false_annotations(named, [one.provenance for one in found])
        return lies, tuple(_alias_may_move(one) for one in named.mentions if "@" in one)

    def _ask_all(self, named: Named, rule: NamespaceRule, seconds: float) -> list[Found]:
        """Raises Refused for an object that as a whole cannot be checked."""
        asked = [*named.mentions, *named.locations]
        if len(asked) > MOST:
            raise Refused(f"it names {len(asked)} models, and {MOST} are the most that are checked. Split it")
        environ = self._where(named)
        futures = {text: self._pool.submit(self._ask, text, rule.target, environ) for text in asked}
        wait(futures.values(), timeout=seconds)  # one deadline for all of them
        return [_by_now(text, future, seconds) for text, future in futures.items()]

    def _where(self, named: Named) -> Mapping[str, str]:
        """Whose answer counts: the registry and workspace that its containers load from. Raises Refused."""
        foreign = self.plan.foreign(named.registries, self.environ.get("MLFLOW_TRACKING_URI", ""))
        if foreign:
            raise Refused(
                f"it loads models from {foreign[0][:200]}, and approvals count for another registry. Take that address out, or add it "
                "to `registries` in the plan if it is the same server"
            )
        if UNSEEN in named.workspaces:
            raise Refused(
                "a container takes MLFLOW_WORKSPACE from elsewhere. Write its value, so that it can be checked"
            )
        if len(named.workspaces) > 1:
            names = ", ".join(name or "the default one" for name in named.workspaces)
            raise Refused(f"its containers load from several workspaces: {names}. Use one workspace in an object")
        return {**self.environ, "MLFLOW_WORKSPACE": named.workspaces[0]} if named.workspaces else self.environ

    def _where_sealed(self, sealed: SealedVersion, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The address itself names registry and workspace, whatever the containers set. Raises Refused for another registry than ours.

        Where no name says which registry ours is, a bot finds it by its address; then the place in its answer decides.
        """
        there, ours = sealed.place, asker_of(environ).registry
        is_unnamed = ours is None and self.proof.bot is not None
        if not is_unnamed and there.registry != (ours or DEFAULT):
            raise Refused(
                f"it is sealed from the registry {there.registry}, and approvals of the registry {ours or DEFAULT} count here. Name a "
                "version of that one, or set COUNTERSIGN_REGISTRY and MLFLOW_TRACKING_URI of this webhook to the other"
            )
        return {**environ, "MLFLOW_WORKSPACE": there.name}

    def _ask(self, text: str, target: Target, environ: Mapping[str, str]) -> Found:
        """Never raises for what the object says or the registry answers."""
        try:
            sealed = version_in(text)
            if sealed is not None:
                environ = self._where_sealed(sealed, environ)
                wanted = sealed.wanted
            else:
                wanted = _wanted(text, target, Registry(registry_of(environ), asker_of(environ).place))
            result = check(str(wanted), str(target), self.proof, environ, datetime.now(UTC))
        except (Refused, NoAnswer) as trouble:
            return Found(None, f"{text[:200]}: {str(trouble).rstrip('.')}.")
        if not result.allowed:
            return Found(
                result,
                f"{text[:200]} may not run here as {target}. " + " ".join(one.sentence for one in result.reasons),
            )
        is_place = sealed is not None or (result.sealed is not None and not text.lower().startswith("models:"))
        if is_place and (result.sealed is None or result.sealed.uri != text.rstrip("/")):
            return Found(None, f"{text[:300]}: {_not_there(result)}")
        return Found(result, provenance=provenance_of(result, self.proof, environ))


def _not_there(result: GateResult) -> str:
    """Another place than the sealed one is named: of another creation, other files, another bucket, or where anyone can write."""
    where = (
        f"Its files are sealed at {result.sealed.uri}, use that" if result.sealed else "Nothing says that it is sealed"
    )
    return f"{result.uri} is approved, but not what is at this address. {where}."


def version_in(text: str) -> SealedVersion | None:
    """The version that a place in a sealed store is named for; the gate's answer says whether it is really there. Raises Refused."""
    found = SEALED_PLACE.search(text.rstrip("/")) if text.startswith(SCHEME_OF_STORES) else None
    if found is None:
        return None
    place = Workspace.parse(f"{unquote(found['registry'])}/{unquote(found['workspace'])}")
    return SealedVersion(place, Wanted(unquote(found["model"]), int(found["version"])))


def _wanted(text: str, target: Target, registry: Registry) -> Wanted:
    """The version that a container would load. Raises Refused for a name that may mean another version later, and NoAnswer."""
    scheme = SCHEME.match(text)
    plain = f"{scheme[1].lower()}:/{text[scheme.end() :]}" if scheme else text
    if plain.startswith("models:/") and not LOGGED_MODEL.search(plain):
        wanted = Wanted.parse(plain)
        _check_is_fixed(wanted, target)
        return wanted
    if plain.startswith("runs:/"):
        raise Refused("a run has no approval. Register its model, and write models:/NAME/VERSION")
    return _at_location(plain, registry)


def _check_is_fixed(wanted: Wanted, target: Target) -> None:
    """An alias or stage is moved after this answer; only the target's own moves after an approval alone. Raises Refused."""
    said = (
        (TargetKind.ALIAS, wanted.alias) if wanted.alias else (TargetKind.STAGE, wanted.stage) if wanted.stage else None
    )
    if said is not None and said != (target.kind, target.name):
        raise Refused(f"{wanted} can hold another version a moment later. Write models:/{wanted.model}/VERSION")


def _at_location(address: str, registry: Registry) -> Wanted:
    """The version whose files are at this address. Raises Refused and NoAnswer."""
    bare = address.rstrip("/")
    model_id = LOGGED_MODEL.search(bare)
    candidates = registry.from_source(bare) or (registry.from_source(f"models:/{model_id['id']}") if model_id else [])
    for seen in candidates:
        is_named_so = bare == f"models:/{model_id['id']}" if model_id else False
        if is_named_so or registry.location_of(seen.id) in (bare, address):
            return Wanted(seen.id.model, seen.id.version)
    raise Refused(
        "no version in the registry has its files there, so nothing says that it was approved. Write models:/NAME/VERSION, in the "
        f"annotation {MODEL} too"
    )


def _by_now(text: str, future: Future[Found], seconds: float) -> Found:
    if future.done():
        return future.result()
    future.cancel()
    return Found(None, f"{text[:200]}: the gate did not answer within {seconds:g} seconds. Try again.")


def _false_annotations(named: Named, known: list[Provenance | None]) -> tuple[str, ...]:
    """Somebody wrote what only Countersign writes. With nothing to compare with (no --key) they say nothing, and are refused too."""
    said = named.provenance or {}
    right = annotations_of([one for one in known if one is not None]) if None not in known else {}
    wrong = sorted(key for key, text in said.items() if right.get(key) != text)
    if not wrong:
        return ()
    shown = f'it should be "{right[wrong[0]]}"' if wrong[0] in right else "Countersign writes no such annotation here"
    return (f"The annotation {wrong[0]} is not what was approved: {shown}. Remove it, or correct it.",)


def _names_no_model(question: Question, rule: NamespaceRule) -> str:
    what = f"{question.kind} {question.name}".rstrip()
    return (
        f"{what} names no model, and {question.namespace} runs only what is approved for {rule.target}. "
        f"Add the annotation {MODEL}: models:/NAME/VERSION."
    )


def _alias_may_move(mention: str) -> str:
    return f"{mention[:150]} can hold another approved version when the container starts. Write its number to pin it."


def _sentence(text: str) -> str:
    return f"{capitalised(text).rstrip('.')}."
