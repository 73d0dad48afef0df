"""Which of MLflow's routes can change what is governed, and how a request to one is read: by MLflow's own parser, as MLflow will.

Routes are known by the function that serves them, which is the endpoint's name, so no spelling of a path gets past. A route for writing
that is in no table here stops the server from starting: half a guard is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, Request

from countersign_guard.names import shown
from countersign_guard.stores import MLFLOW
from countersign_guard.writes import Act, Write

READS = frozenset({"GET", "HEAD", "OPTIONS"})
RUN_IDS = frozenset({"run_id", "run_uuid"})
IDS = RUN_IDS | {"model_id"}
RESTRICT = "RESTRICT"  # of the modes in which a workspace is deleted, the one for empty ones
DEMO = "MLflow Demo"

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
    """A request that MLflow's own parser refuses, or MLflow itself."""


class NotGuarded(Exception):
    """This MLflow has routes that the guard does not know, or lacks what it relies on."""


def _alias(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, _version_in(seen), name=seen.said.alias)


def _stage(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, _version_in(seen), name=seen.said.stage)


def _model(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name)


def _rename(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, name=seen.said.new_name)


def _version(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, _version_in(seen))


def _new(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, tags=tuple(tag.key for tag in seen.said.tags))


def _tag(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, seen.said.name, _version_in(seen), tags=(seen.said.key,))


def _tag_gone(seen: Seen) -> Write:
    return replace(_tag(seen), removes=True)


def _webhook(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, number=str(seen.path.get("webhook_id", "")))


def _run(seen: Seen) -> Write:
    """A run or a logged model that is changed."""
    return Write(seen.act, seen.workspace, ids=_ids(seen, IDS))


def _run_alone(seen: Seen) -> Write:
    """What another run logs may name a logged model, as `mlflow.evaluate` does; it changes that run."""
    return Write(seen.act, seen.workspace, ids=_ids(seen, RUN_IDS))


def _file_of(seen: Seen) -> Write:
    path = getattr(seen.said, "path", "") or seen.query.get("path", "")
    return Write(seen.act, seen.workspace, ids=_ids(seen, IDS), path=decoded(str(path)))


def _experiment(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, experiment=_number(seen.said.experiment_id, "experiment_id"))


def _new_experiment(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, path=seen.said.artifact_location)


def _demo(seen: Seen) -> Write:
    """Its experiment, by the name that anybody may have given to another."""
    return Write(seen.act, seen.workspace, experiment=MLFLOW.experiment_called(DEMO))


def _job(seen: Seen) -> Write:
    """The run that a job names is ended or deleted with it."""
    run = MLFLOW.run_of_job(str(seen.path.get("job_id", "")))
    return Write(seen.act, seen.workspace, ids=(run,) if run else ())


def _file(seen: Seen) -> Write:
    return Write(seen.act, seen.workspace, path=decoded(str(seen.path.get("artifact_path", ""))))


def _workspace(seen: Seen) -> Write:
    name, mode = str(seen.path.get("workspace_name", "")), str(seen.query.get("mode", RESTRICT))
    return Write(seen.act, seen.workspace, name=name, takes_models=mode != RESTRICT)


GUARDED: Mapping[str, tuple[Act, Reader]] = {
    "_set_registered_model_alias": (Act.SET_ALIAS, _alias),
    "_delete_registered_model_alias": (Act.DELETE_ALIAS, _alias),
    "_transition_stage": (Act.SET_STAGE, _stage),
    "_delete_registered_model": (Act.DELETE_MODEL, _model),
    "_rename_registered_model": (Act.RENAME_MODEL, _rename),
    "_create_registered_model": (Act.CREATE_MODEL, _new),
    "_create_model_version": (Act.CREATE_VERSION, _new),
    "_delete_model_version": (Act.DELETE_VERSION, _version),
    "_set_registered_model_tag": (Act.TAG_MODEL, _tag),
    "_delete_registered_model_tag": (Act.TAG_MODEL, _tag_gone),
    "_set_model_version_tag": (Act.TAG_VERSION, _tag),
    "_delete_model_version_tag": (Act.TAG_VERSION, _tag_gone),
    "_update_webhook": (Act.WRITE_WEBHOOK, _webhook),
    "_delete_webhook": (Act.WRITE_WEBHOOK, _webhook),
    **dict.fromkeys(
        ("_log_metric", "_log_batch", "_log_inputs", "_log_outputs"),
        (Act.WRITE_RUN, _run_alone),
    ),
    **dict.fromkeys(
        (
            "_log_param",
            "_log_model",
            "_set_tag",
            "_delete_tag",
            "_update_run",
            "_finalize_logged_model",
            "_log_logged_model_params",
            "_set_logged_model_tags",
            "_delete_logged_model_tag",
        ),
        (Act.WRITE_RUN, _run),
    ),
    "_create_presigned_upload_url": (Act.WRITE_FILE_OF, _file_of),
    "serve_upload_artifact": (Act.WRITE_FILE_OF, _file_of),
    "_delete_run": (Act.DELETE_RUN, _run),
    "_delete_logged_model": (Act.DELETE_RUN, _run),
    "_delete_experiment": (Act.DELETE_EXPERIMENT, _experiment),
    "_generate_demo": (Act.DELETE_EXPERIMENT, _demo),
    "_delete_demo": (Act.DELETE_EXPERIMENT, _demo),
    "_cancel_prompt_optimization_job": (Act.DELETE_RUN, _job),
    "_delete_prompt_optimization_job": (Act.DELETE_RUN, _job),
    "_create_experiment": (Act.CREATE_EXPERIMENT, _new_experiment),
    "_upload_artifact": (Act.WRITE_FILE, _file),
    "_create_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_complete_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_abort_multipart_upload_artifact": (Act.WRITE_FILE, _file),
    "_delete_artifact_mlflow_artifacts": (Act.DELETE_FILE, _file),
    "_delete_workspace_handler": (Act.DELETE_WORKSPACE, _workspace),
}

READ_BY_ADDRESS = (_file, _webhook, _workspace, _demo, _job)
"""What is in the body of these is no message, or decides nothing here."""

OPEN = frozenset(
    {
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

OTHER_AREAS = frozenset(
    {
        "traces",
        "gateway",
        "gateway-proxy",
        "scorer",
        "scorers",
        "datasets",
        "label-schemas",
        "review-queues",
        "issues",
        "prompt-optimization",
        "jobs",
        "assessments",
        "ui-telemetry",
        "demo",
        "genai",
        "users",
        "roles",
        "permissions",
        "online-scoring",
        "mcp-servers",
        "budgets",
    }
)
"""The first part of a route's path, after the prefix of the API, where there is nothing of the registry, of runs or of files."""

API = re.compile(r"/(?:ajax-)?api/[0-9.]+/mlflow/")

NATIVE = frozenset(
    {
        "mlflow.server.artifact_router.upload_artifact",
        "mlflow.server.otel_api.export_traces",
        *(f"mlflow.server.job_api.{name}" for name in ("cancel_job", "search_jobs", "submit_job")),
    }
)
NATIVE_AREAS = ("mlflow.server.gateway_api.", "mlflow.server.assistant.api.", "mlflow.server.mcp_server_api.")
"""Modules whose routes have nothing of the registry, of runs or of files."""


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
    named = {f"{endpoint.__module__}.{endpoint.__name__}" for endpoint in endpoints}
    strange = sorted(name for name in named - NATIVE if not name.startswith(NATIVE_AREAS))
    if strange:
        raise NotGuarded(_unknown(f"it serves {', '.join(strange)}"))


def _is_known(endpoint: str, path: str) -> bool:
    _, *after = API.split(path, maxsplit=1)
    area, *below = after[0].split("/") if after else [""]
    return endpoint in GUARDED or endpoint in OPEN or area in OTHER_AREAS or below[:1] == ["permissions"]


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


def _ids(seen: Seen, names: frozenset[str]) -> tuple[str, ...]:
    """In the address, in its query, and in the message itself."""
    said = {field.name: value for field, value in seen.said.ListFields()} if seen.said is not None else {}
    found = (str(value) for fields in (seen.path, seen.query, said) for name, value in fields.items() if name in names)
    return tuple(sorted(set(found)))


def _version_in(seen: Seen) -> str:
    """Empty for a message that names no version."""
    return _number(seen.said.version, "version") if hasattr(seen.said, "version") else ""


def _number(text: str, what: str) -> str:
    """As MLflow reads it, which takes " 1" and "01" for 1. Raises NotReadable for what it refuses."""
    try:
        return str(int(text or 0))
    except ValueError:
        raise NotReadable(f'{what} "{shown(text, 100)}" is no number. Write one, such as 1') from None
