"""The plan of `countersign admission` -> `bot.admission.plan.Plan`, or all of its mistakes at once, each with its line."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict, ValidationError

from bot.admission.plan import Mode, NamespaceRule, Plan
from bot.domain.model import Target
from bot.errors import Refused
from config.policy.values import Shape, Text
from config.policy.yaml_lines import Document, read_document


def _target(text: str) -> str:
    try:
        Target.parse(text)
    except Refused as refusal:
        raise ValueError(str(refusal)) from None
    return text


class NamespaceShape(Shape):
    """One pattern of namespaces, and what may run there."""

    namespace: Text
    """A name or a pattern such as prod-*."""
    target: Annotated[Text, AfterValidator(_target)]
    """What a version must be approved for: alias:NAME, stage:NAME or model:NAME."""
    mode: Literal["enforce", "audit"] = "enforce"
    """`audit` allows everything, with a warning that says what `enforce` would refuse."""
    require: bool = False
    """Whether a pod that names no model is refused too."""


class PlanShape(Shape):
    """The whole file."""

    version: Literal[1]
    registries: Annotated[tuple[Text, ...], Strict(False)] = ()
    """Further addresses of the registry at MLFLOW_TRACKING_URI, as containers in the cluster write them."""
    namespaces: Annotated[tuple[NamespaceShape, ...], Strict(False), Field(min_length=1)]
    """The first that matches counts; a namespace that none matches is not looked at."""


def read_plan(file: FilePath) -> Plan:
    """Raises Refused, with every mistake and its line."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as trouble:
        raise Refused(f"{file} cannot be read: {trouble.strerror}. Name the file with the plan.") from None
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8. Save it in that encoding.") from None
    document = read_document(text)
    mistakes = [(one.line, one.sentence) for one in document.mistakes] or _mistakes(document)
    if mistakes:
        raise Refused("\n".join(f"{file}{f' line {line}' if line else ''}: {said}" for line, said in mistakes))
    shape = PlanShape.model_validate(document.content)
    rules = (
        NamespaceRule(one.namespace, Target.parse(one.target), Mode(one.mode), one.require) for one in shape.namespaces
    )
    return Plan(tuple(rules), frozenset(shape.registries))


def _mistakes(document: Document) -> list[tuple[int | None, str]]:
    if not isinstance(document.content, dict):
        return [(document.line_of(()), 'A plan is a mapping that begins with "version: 1". See docs/kubernetes.md.')]
    try:
        PlanShape.model_validate(document.content)
    except ValidationError as error:
        return [
            (
                document.line_of(tuple(one["loc"])),
                f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}.",
            )
            for one in error.errors()
        ]
    return []
