"""Reads MLflow over REST, with the credentials that MLflow's own client would use, in one call where possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from bot.domain.attestation.gate import GateQuery, may_be_copy, original_of
from bot.domain.model import Target, VersionId
from bot.domain.registry.model_uri import source_of
from bot.domain.registry.snapshot import VersionSnapshot
from bot.domain.workspaces import DEFAULT
from bot.errors import NoAnswer
from bot.gate.asking import Answer, Server, ask, basic
from bot.gate.uris import Wanted

ROUTES = "/api/2.0/mlflow"
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
NO_SUCH_ALIAS = "INVALID_PARAMETER_VALUE"  # mlflow/store/model_registry/sqlalchemy_store.py, get_model_version_by_alias
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIXES = {
    401: "Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    403: "Give the account in MLFLOW_TRACKING_USERNAME or MLFLOW_TRACKING_TOKEN READ on the model.",
}


def registry_of(environ: Mapping[str, str]) -> Server:
    """Username and password take precedence over a token, as in MLflow's client."""
    address = environ.get("MLFLOW_TRACKING_URI", "").strip()
    parts, workspace = urlsplit(address), environ.get("MLFLOW_WORKSPACE", "").strip() or DEFAULT
    username = environ.get("MLFLOW_TRACKING_USERNAME") or unquote(parts.username or "")
    password = environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(parts.password or "")
    token = environ.get("MLFLOW_TRACKING_TOKEN", "")
    bearer = f"Bearer {token}" if token else ""
    return Server(
        name="MLflow",
        setting="MLFLOW_TRACKING_URI",
        address=address,
        authorization=basic(username, password) if username and password else bearer,
        certificates=environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH", ""),
        client_certificate=environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH", ""),
        verifies=environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in ("true", "1"),
        workspace=workspace if workspace != DEFAULT else "",
    )


@dataclass(frozen=True)
class Registry:
    """`place` is the workspace of the registry that the server is, as the bot writes it."""

    server: Server
    place: str = DEFAULT

    def find(self, wanted: Wanted) -> VersionSnapshot | None:
        """The version that `wanted` names now; None when there is none. Raises NoAnswer."""
        self._check_that_there_are_workspaces()
        if wanted.alias is not None:
            return self._by_alias(wanted.model, wanted.alias)
        if wanted.stage is not None:
            return self._by_stage(wanted.model, wanted.stage)
        return self._by_number(wanted.model, wanted.version or 0)

    def question(self, seen: VersionSnapshot, target: Target) -> GateQuery:
        """A copy needs a second call, because its approval belongs to the version that it was copied from. Raises NoAnswer."""
        origin = source_of(seen.source) if may_be_copy(seen.id, target) else None
        source = self._by_number(*origin) if origin else None
        return GateQuery(seen.id, target, original_of(seen, source))

    def from_source(self, source: str) -> list[VersionSnapshot]:
        """Versions that were registered from this address, newest first, 100 at most. Raises NoAnswer."""
        self._check_that_there_are_workspaces()
        if "'" in source:  # MLflow's filters have no way to write one
            return []
        parameters = {
            "filter": f"source_path = '{source}'",
            "max_results": "100",
            "order_by": "creation_timestamp DESC",
        }
        answer = ask(self.server, f"{ROUTES}/model-versions/search", parameters)
        if self._is_missing(answer, NOT_THERE):
            return []
        found = answer.body.get("model_versions", [])
        if not isinstance(found, list):
            raise self._unreadable()
        return [self._version({"model_version": one}) for one in found]

    def location_of(self, version: VersionId) -> str:
        """Where the version's files are, without a slash at the end; empty when it is gone. Raises NoAnswer."""
        named = {"name": version.model, "version": str(version.version)}
        answer = ask(self.server, f"{ROUTES}/model-versions/get-download-uri", named)
        return "" if self._is_missing(answer, NOT_THERE) else str(answer.body.get("artifact_uri") or "").rstrip("/")

    def _check_that_there_are_workspaces(self) -> None:
        """A server before 3.10 would answer about its only registry, whose models may have the same names."""
        if not self.server.workspace:
            return
        answer = ask(self.server, "/api/3.0/mlflow/server-info", {})
        if answer.status != 200 or answer.body.get("workspaces_enabled") is not True:
            raise NoAnswer(
                f"MLflow at {self.server.shown} has no workspaces, so there is none called {self.server.workspace}. "
                "Check MLFLOW_TRACKING_URI, or unset MLFLOW_WORKSPACE."
            )

    def _by_alias(self, model: str, alias: str) -> VersionSnapshot | None:
        answer = ask(self.server, f"{ROUTES}/registered-models/alias", {"name": model, "alias": alias})
        return None if self._is_missing(answer, NOT_THERE, NO_SUCH_ALIAS) else self._version(answer.body)

    def _by_stage(self, model: str, stage: str) -> VersionSnapshot | None:
        """As MLflow resolves `models:/NAME/Stage`: the highest version in the stage."""
        answer = ask(self.server, f"{ROUTES}/registered-models/get-latest-versions", {"name": model, "stages": stage})
        if self._is_missing(answer, NOT_THERE):
            return None
        found = answer.body.get("model_versions", [])
        if not isinstance(found, list):
            raise self._unreadable()
        versions = [self._version({"model_version": one}) for one in found]
        return max((seen for seen in versions if seen.stage == stage), key=lambda seen: seen.id.version, default=None)

    def _by_number(self, model: str, version: int) -> VersionSnapshot | None:
        answer = ask(self.server, f"{ROUTES}/model-versions/get", {"name": model, "version": str(version)})
        return None if self._is_missing(answer, NOT_THERE) else self._version(answer.body)

    def _is_missing(self, answer: Answer, *codes: str) -> bool:
        """True when MLflow says that the version does not exist. Raises NoAnswer for any other error."""
        if answer.status == 200:
            return False
        if answer.status in (400, 404) and answer.body.get("error_code") in codes:
            return True
        fix = FIXES.get(answer.status, "Try again, and look at the MLflow server.")
        raise NoAnswer(f"MLflow at {self.server.shown} answered {answer.status}. {fix}")

    def _version(self, body: Mapping[str, object]) -> VersionSnapshot:
        try:
            return _seen(body["model_version"], self.place)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._unreadable() from None

    def _unreadable(self) -> NoAnswer:
        return NoAnswer(
            f"MLflow at {self.server.shown} answered something that is no model version. Check MLFLOW_TRACKING_URI."
        )


def _seen(found: object, place: str) -> VersionSnapshot:
    """Raises KeyError, TypeError or ValueError for anything that MLflow would not write."""
    if not isinstance(found, dict):
        raise TypeError(found)
    created = _time(found["creation_timestamp"])
    return VersionSnapshot(
        id=VersionId(place, _encodable(str(found["name"])), int(found["version"]), created),
        stage=str(found.get("current_stage") or "None"),
        tags={str(tag["key"]): str(tag.get("value", "")) for tag in found.get("tags", ())},
        source=str(found.get("source") or ""),
        run_id=str(found["run_id"]) if found.get("run_id") else None,
        updated=max(created, _time(found.get("last_updated_timestamp", 0))),
    )


def _time(milliseconds: object) -> datetime:
    """Exact to the millisecond, which a version's identity needs; a float of seconds would round."""
    return EPOCH + timedelta(milliseconds=int(str(milliseconds)))


def _encodable(text: str) -> str:
    """JSON can contain a lone surrogate, which signed text cannot."""
    return text.encode("utf-8", "replace").decode()
