"""Which decisions of a model's former names count under its present name, as `handlers.custody.facts` gathers them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.model import Kind, State, Target, TransitionRequest
from bot.domain.policy.rules import Policy
from bot.domain.registry.names import Renamed, request_now
from bot.domain.request.quorum import tally


def carried_over(
    requests: Sequence[TransitionRequest],
    workspace: str,
    model: str,
    target: Target,
    policy: Policy,
    renames: Sequence[Renamed],
) -> list[TransitionRequest]:
    """The requests that count for the `target` of the registered model now called `model`, both under their present names.

    An approval by fewer votes than the rule for the present name demands does not count, and neither does a way back to such a version.
    """
    present = (_under_present_name(one, model, renames) for one in _counted(requests, workspace, model, target, policy))
    return [one for one in present if one is not None]


def _counted(
    requests: Sequence[TransitionRequest], workspace: str, model: str, target: Target, policy: Policy
) -> list[TransitionRequest]:
    enough = [_has_enough_votes(one, workspace, model, target, policy) for one in requests]
    counted = zip(requests, enough, strict=True)
    versions = {
        (one.version.version, one.version.created) for one, counts in counted if counts and one.state is State.APPLIED
    }

    def goes_back(one: TransitionRequest) -> bool:
        return one.kind is Kind.ROLLBACK and (one.version.version, one.version.created) in versions

    return [one for one, counts in zip(requests, enough, strict=True) if counts or goes_back(one)]


def _has_enough_votes(request: TransitionRequest, workspace: str, model: str, target: Target, policy: Policy) -> bool:
    if request.state not in (State.APPROVED, State.APPLIED) or request.target_model == model:
        return True
    there = policy.rule_for(workspace, request.version.model, request.target)
    here = policy.rule_for(workspace, model, target)
    return there is None or here is None or there == here or tally(request, here).is_complete


def _under_present_name(request: TransitionRequest, model: str, renames: Sequence[Renamed]) -> TransitionRequest | None:
    """None for requests about a model that only had this name at another time.

    What was decided for the name itself, before its model was renamed away, stays as it was: no version of it is there any more.
    """
    now = request_now(request, renames)
    if now.target_model == model:
        return now
    return request if request.target_model == model else None
