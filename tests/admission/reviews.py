"""AdmissionReview v1 requests as an API server sends them, and what it makes of the answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any


def review(
    content: Mapping[str, object] | None,
    *,
    kind: str = "Pod",
    namespace: str = "models-prod",
    operation: str = "CREATE",
    before: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """With the fields that Kubernetes 1.30 sends."""
    group = {"Pod": "", "InferenceService": "serving.kserve.io", "Deployment": "apps"}.get(kind, "")
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": f"{kind.lower()}s"},
            "requestKind": {"group": group, "version": "v1", "kind": kind},
            "name": "bike",
            "namespace": namespace,
            "operation": operation,
            "userInfo": {"username": "ana", "groups": ["system:authenticated"]},
            "object": content,
            "oldObject": before,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            "dryRun": False,
        },
    }


def pod(
    *names: str, annotations: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A pod whose container loads these models."""
    metadata: dict[str, object] = {"name": "bike", "namespace": "models-prod"}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    container = {"name": "serve", "image": "serving:1", "args": ["serve", *names], "env": variables}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def patched(content: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The object after the JSON Patch in the response, by the rules of RFC 6902 for `add`."""
    result: dict[str, Any] = json.loads(json.dumps(content))
    if "patch" not in response:
        return result
    assert response["patchType"] == "JSONPatch"
    for step in json.loads(base64.b64decode(response["patch"])):
        assert step["op"] == "add"
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place = result
        for part in path:
            place = place[part]
        place[last] = step["value"]
    return result
