"""Which of MLflow's routes can change what is governed, and how a request to one is read: by MLflow's own parser, as MLflow will.

Routes are known by the function that serves them, which is the endpoint's name, so no spelling of a path gets past. A route for writing
that is in no table here stops the server from starting: half a guard is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request

from countersign_guard.decide import Act, Write

READS = frozenset({"GET", "HEAD", "OPTIONS"})
IDS = frozenset({"run_id", "run_uuid", "model_id"})
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """A request: `said` is MLflow's own message of its body, `path` and `query` are the parts of its address."""

    act: Act
    workspace: str
    said: Any
    path: Fields
    query: Fields


Reader = Callable[[Seen], Write]


UNREADABLE = "The body of this request is not what MLflow reads here, so nobody can say what it would change."


class NotReadable(Exception):
    """A request that MLflow's own parser refuses."""


class NotGuarded(Exception):
    """This MLflow has routes that the guard does not know, or lacks what it relies on."""


def _alias(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, getattr(seen.said, "version", ""), name=seen.said.alias)


def _stage(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, seen.said.version, name=seen.said.stage)


def _model(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name)


def _rename(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, name=seen.said.new_name)


def _version(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, getattr(seen.said, "version", ""))


def _tag(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, getattr(seen.said, "version", ""), name=seen.said.key)


def _webhook(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, number=str(seen.path.get("webhook_id", "")))


def _run(seen: Seen) -> Write:
    named = {str(value) for fields in (seen.path, seen.query) for name, value in fields.items() if name in IDS}
    return Write(
        seen.act, seen.workspace, ids=tuple(sorted(named | set(_ids_in(seen.said)))), only_ends=_only_ends(seen.said)
    )


def _experiment(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, experiment=seen.said.experiment_id)


def _file(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, path=decoded(str(seen.path.get("artifact_path", ""))))


def _workspace(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, name=str(seen.path.get("workspace_name", "")))


GUARDED: Mapping[str, tuple[Act, Reader]] = {
    "_set_registered_model_alias": (Act.SET_ALIAS, _alias),
    "_delete_registered_model_alias": (Act.DELETE_ALIAS, _alias),
    "_transition_stage": (Act.SET_STAGE, _stage),
    "_delete_registered_model": (Act.DELETE_MODEL, _model),
    "_rename_registered_model": (Act.RENAME_MODEL, _rename),
    "_create_model_version": (Act.CREATE_VERSION, _version),
    "_delete_model_version": (Act.DELETE_VERSION, _version),
    "_set_registered_model_tag": (Act.TAG_MODEL, _tag),
    "_delete_registered_model_tag": (Act.TAG_MODEL, _tag),
    "_set_model_version_tag": (Act.TAG_VERSION, _tag),
    "_delete_model_version_tag": (Act.TAG_VERSION, _tag),
    "_update_webhook": (Act.WRITE_WEBHOOK, _webhook),
    "_delete_webhook": (Act.WRITE_WEBHOOK, _webhook),
    **dict.fromkeys(
        (
            "_log_metric",
            "_log_param",
            "_log_batch",
            "_log_inputs",
            "_log_outputs",
            "_log_model",
            "_set_tag",
            "_delete_tag",
            "_update_run",
            "_finalize_logged_model",
            "_log_logged_model_params",
            "_set_logged_model_tags",
            "_delete_logged_model_tag",
            "_create_presigned_upload_url",
            "serve_upload_artifact",
        ),
        (Act.WRITE_RUN, _run),
    ),
    "_delete_run": (Act.DELETE_RUN, _run),
    "_delete_logged_model": (Act.DELETE_RUN, _run),
    "_delete_experiment": (Act.DELETE_EXPERIMENT, _experiment),
    "_upload_artifact": (Act.WRITE_FILE, _file),
    "_create_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_complete_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_abort_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_delete_artifact_mlflow_artifacts": (Act.DELETE_FILE, _file),
    "_delete_workspace_handler": (Act.DELETE_WORKSPACE, _workspace),
}

READ_BY_ADDRESS = (_file, _webhook, _workspace)
"""What is in the body of these is no message, or decides nothing here."""

OPEN = frozenset(
    {
        "_create_registered_model",
        "_update_registered_model",
        "_get_latest_versions",
        "_update_model_version",
        "_create_webhook",
        "_test_webhook",
        "_create_logged_model",
        "_search_logged_models",
        "_create_run",
        "_restore_run",
        "_search_runs",
        "serve_create_promptlab_run",
        "_create_presigned_download_url",
        "_create_experiment",
        "_update_experiment",
        "_restore_experiment",
        "_search_experiments",
        "_set_experiment_tag",
        "_delete_experiment_tag",
        "serve_search_datasets",
        "_create_workspace_handler",
        "_update_workspace_handler",
        "_not_implemented",
        "_graphql",  # its mutations search and test, https://github.com/mlflow/mlflow/blob/master/mlflow/server/graphql
    }
)
"""Routes for writing, beside the guarded ones, that change nothing an approval rests on."""

OTHER_AREAS = (
    "/traces",
    "/gateway",
    "/scorer",
    "/datasets",
    "/label-schemas",
    "/review-queues",
    "/issues",
    "/prompt-optimization",
    "/jobs",
    "/assessments",
    "/ui-telemetry",
    "/demo",
    "/genai",
    "/users",
    "/roles",
    "/permissions",
    "/online-scoring",
    "/mcp-servers",
    "/budgets",
)
"""Parts of paths below which there is nothing of the registry, of runs or of files."""

NATIVE_MODULES = frozenset(
    f"mlflow.server.{name}"
    for name in (
        "otel_api",
        "job_api",
        "gateway_api",
        "assistant.api",
        "artifact_router",
        "mcp_server_api",
        "server_info_api",
    )
)


def messages() -> Mapping[str, type]:
    """MLflow's protobuf message by endpoint. Raises NotGuarded."""
    from mlflow.server import handlers

    try:
        return {function.__name__: message for message, function in handlers.HANDLERS.items()}
    except AttributeError:
        raise NotGuarded(_unknown("its table of handlers has another form")) from None


def check_flask_routes(app: Flask) -> None:
    """Raises NotGuarded for a route that can write and is in no table."""
    served = {rule.endpoint for rule in app.url_map.iter_rules()}
    strange = sorted(
        f"{sorted(rule.methods - READS)} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.methods and rule.methods - READS and not _is_known(rule.endpoint, rule.rule)
    )
    if strange:
        raise NotGuarded(_unknown(f"it can write by {'; '.join(strange[:5])}"))
    missing = sorted({"_set_registered_model_alias", "_delete_model_version", "_upload_artifact"} - served)
    if missing:
        raise NotGuarded(_unknown(f"it has no {', '.join(missing)}"))


def check_native_routes(endpoints: Iterable[Callable[..., Any]]) -> None:
    """The same for what FastAPI serves beside Flask."""
    strange = sorted({endpoint.__module__ for endpoint in endpoints} - NATIVE_MODULES)
    if strange:
        raise NotGuarded(_unknown(f"it serves routes of {', '.join(strange)}"))


def _is_known(endpoint: str, path: str) -> bool:
    return endpoint in GUARDED or endpoint in OPEN or any(area in path for area in OTHER_AREAS)


def _unknown(why: str) -> str:
    import mlflow

    return (
        f"countersign-guard does not know this MLflow ({mlflow.__version__}): {why}. It guards all or does not start. "
        "Upgrade mlflow-countersign-guard, or go back to an MLflow that it knows."
    )


def read_write(request: Request, workspace: str, by_endpoint: Mapping[str, type]) -> Write | None:
    """None for a request that changes nothing that could be governed. Raises NotReadable for a body that MLflow's parser refuses."""
    from mlflow.exceptions import MlflowException
    from mlflow.server import handlers

    found = GUARDED.get(request.endpoint or "")
    if found is None or request.method in READS:
        return None
    act, reader = found
    message = by_endpoint.get(request.endpoint or "")
    said = None
    if message is not None and reader not in READ_BY_ADDRESS:
        try:
            said = handlers._get_request_message(message(), request)
        except MlflowException:
            if reader is not _run:  # a logged model is deleted by its address, whatever the body says
                raise NotReadable(UNREADABLE) from None
    return reader(Seen(act, workspace, said, request.view_args or {}, request.args))


def decoded(path: str) -> str:
    """As MLflow will understand it. What it refuses itself is returned as it came."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.uri import validate_path_is_safe

    try:
        return str(validate_path_is_safe(path))
    except MlflowException:
        return path


def _ids_in(message: Any) -> Iterator[str]:
    if message is None or not hasattr(message, "ListFields"):
        return
    for field, value in message.ListFields():
        if field.name in IDS and isinstance(value, str):
            yield value
        elif field.message_type is not None:
            for inner in value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else [value]:
                yield from _ids_in(inner)


def _only_ends(message: Any) -> bool:
    """Whether a run's update says no more than that it is over."""
    if message is None or message.DESCRIPTOR.name != "UpdateRun":
        return False
    named = {field.name for field, _ in message.ListFields()} - IDS - {"end_time"}
    status = message.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[message.status].name
    return named == {"status"} and status in ENDED
