"""`policy.yaml` -> `bot.domain.policy.rules.Policy`, or all of its mistakes at once, each with its line and what to do about it.

The keys and single values are described in `config.policy.shapes`, what they must be to each other in `config.policy.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bot.domain.policy.rules import Policy
from bot.errors import InvalidPolicy
from config.policy.calendar_shapes import CalendarShape, FreezeShape
from config.policy.checks import broken_laws
from config.policy.digest_shapes import DigestShape
from config.policy.messages import shape_findings
from config.policy.parts import Finding, Parts
from config.policy.registry_shapes import RegistryShape
from config.policy.shapes import GroupShape, PersonShape, PolicyShape, RuleShape
from config.policy.warnings import notable
from config.policy.yaml_lines import Document, Mistake, Path, as_list, as_mapping, read_document

__all__ = [
    "Mistake",
    "PolicyMistakes",
    "line_of",
    "notices",
    "opens_tickets",
    "policy_text_of",
    "read_policy",
    "sends_mail",
]

# Parts of a rule that can be missing while the rest of it is judged.
LEFT_OUT = frozenset(
    {
        *("observed", "notify", "ticket", "expire_after", "remind_after", "rollback", "fast_track", "freezes"),
        "approval_valid_for",
        "break_glass",
        "revert",
        "seal",
    }
)
Shape = TypeVar("Shape", bound=BaseModel)
Place = TypeVar("Place", str, int)


class PolicyMistakes(InvalidPolicy):
    """Everything that is wrong with a policy; str() is one line for each mistake, in the order of the file."""

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.line or 0))
        super().__init__(source, self.mistakes)

    def __str__(self) -> str:
        return "\n".join(f"{self._place(mistake)}: {' '.join(mistake.sentence.split())}" for mistake in self.mistakes)

    def _place(self, mistake: Mistake) -> str:
        return self.source if mistake.line is None else f"{self.source} line {mistake.line}"


def read_policy(text: str, source: str = "policy.yaml") -> Policy:
    """`source` is what the messages call the file. Raises PolicyMistakes, and nothing else, for any text."""
    shape, _ = _sound_policy(text, source)
    return _as_policy(shape)


def notices(text: str, source: str = "policy.yaml") -> tuple[Mistake, ...]:
    """Warnings about what is allowed, in the order of the file: such as rules that overlap, or addresses that look mistyped.

    Raises PolicyMistakes for a text that `read_policy` refuses.
    """
    shape, document = _sound_policy(text, source)
    found = [Mistake(document.line_of(path), sentence) for path, sentence in notable(shape)]
    return tuple(sorted(found, key=lambda notice: notice.line or 0))


def line_of(text: str, path: Path) -> int | None:
    """The line of a part of the policy, for example ("rules", 0, "fast_track", "metrics", "mae"); rules count from 0.

    A part that is left out has the line of its parent. None when the text is no YAML.
    """
    return read_document(text).line_of(path)


def policy_text_of(path: FilePath) -> str:
    """Raises PolicyMistakes when there is no such file, or it cannot be read as UTF-8."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        sentence = (
            "There is no such file. Point COUNTERSIGN_POLICY at your policy, or let `countersign init` write one here."
        )
        raise PolicyMistakes(str(path), [Mistake(None, sentence)]) from None
    except OSError as error:
        sentence = f"The file cannot be read: {error.strerror}."
        raise PolicyMistakes(str(path), [Mistake(None, sentence)]) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        sentence = "This line is not UTF-8. Save the file in that encoding."
        raise PolicyMistakes(str(path), [Mistake(line, sentence)]) from error


def opens_tickets(policy: Policy) -> bool:
    """Whether the worker needs Jira."""
    return any(rule.ticket for rule in policy.rules) or (policy.digest is not None and policy.digest.ticket is not None)


def sends_mail(policy: Policy) -> bool:
    """Whether the worker needs a mail server."""
    return policy.digest is not None and bool(policy.digest.email)


def _sound_policy(text: str, source: str) -> tuple[PolicyShape, Document]:
    document = read_document(text)
    mistakes = [*document.mistakes, *_mistakes_in(document)]
    if mistakes:
        raise PolicyMistakes(source, mistakes)
    return PolicyShape.model_validate(document.content), document


def _mistakes_in(document: Document) -> Iterator[Mistake]:
    if document.content is None:
        if not document.mistakes:
            yield Mistake(None, "The file is empty. Start from the example that comes with Countersign.")
    elif not isinstance(document.content, dict):
        yield Mistake(
            document.line_of(()), 'A policy is a mapping that begins with "version: 1". Start from the example.'
        )
    else:
        for path, sentence in _findings(document.content):
            if path not in document.blanks:
                yield Mistake(document.line_of(path), sentence if sentence.endswith((".", "?")) else f"{sentence}.")


def _findings(content: dict[str, object]) -> Iterator[Finding]:
    try:
        PolicyShape.model_validate(content)
    except ValidationError as error:
        yield from shape_findings(error, content)
    yield from broken_laws(_sound_parts(content))


def _sound_parts(content: dict[str, object]) -> Parts:
    """The parts that can be checked although others are broken, so that one run reports all mistakes."""
    groups, freezes = as_mapping(content.get("groups")), as_mapping(content.get("freezes"))
    calendar = _sound(CalendarShape, [("calendar", content.get("calendar", {}))])
    return Parts(
        people=_sound(PersonShape, enumerate(as_list(content.get("people")))),
        groups=_sound(GroupShape, groups.items()),
        group_names=frozenset(groups),
        rules=_sound(
            RuleShape, ((place, _judgeable(rule)) for place, rule in enumerate(as_list(content.get("rules"))))
        ),
        freezes=_sound(FreezeShape, freezes.items()),
        freeze_names=frozenset(freezes),
        timezone=calendar.get("calendar", CalendarShape()).timezone,
        registries=_sound(RegistryShape, as_mapping(content.get("registries")).items()),
        sign_off=next(
            (one.sign_off for one in _sound(DigestShape, [("digest", content.get("digest"))]).values()), None
        ),
        readers=tuple(one for one in as_list(content.get("readers")) if isinstance(one, str)),
    )


def _judgeable(rule: object) -> object:
    """The rule without its broken parts, where no check needs them: they are reported already."""
    if not isinstance(rule, dict):
        return rule
    try:
        RuleShape.model_validate(rule)
    except ValidationError as error:
        broken = {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
        spared = {key: value for key, value in rule.items() if key not in broken or key not in LEFT_OUT}
        stand_in = {"notify": {"slack": "#channel"}} if "notify" in broken else {}
        approve = spared.get("approve")
        if isinstance(approve, dict) and "reason" in approve:
            spared["approve"] = {key: value for key, value in approve.items() if key != "reason"}
        return {key: value for key, value in {**spared, **stand_in}.items() if key in RuleShape.model_fields}
    return rule


def _sound(shape: type[Shape], entries: Iterable[tuple[Place, object]]) -> dict[Place, Shape]:
    sound: dict[Place, Shape] = {}
    for place, entry in entries:
        try:
            sound[place] = shape.model_validate(entry)
        except ValidationError:  # already reported by the validation of the whole
            continue
    return sound


def _as_policy(shape: PolicyShape) -> Policy:
    return Policy(
        poll=shape.poll.as_poll(),
        people=tuple(person.as_person() for person in shape.people),
        groups=tuple(group.as_group(name) for name, group in shape.groups.items()),
        rules=tuple(rule.as_rule() for rule in shape.rules),
        default=shape.default,
        language=shape.language,
        calendar=shape.calendar.as_calendar(),
        freezes=tuple(freeze.as_freeze(name, shape.calendar.timezone) for name, freeze in shape.freezes.items()),
        artifact_stores=shape.artifact_stores,
        authors_from=shape.authors_from,
        readers=shape.readers or (),
        evidence_watch=shape.evidence_watch.as_watch(),
        registries=tuple(one.as_registry(name) for name, one in shape.registries.items()),
        digest=None if shape.digest is None else shape.digest.as_plan(shape.calendar.timezone),
    )
