"""The shape of a path that is called: our own words, and `{}` for all that may name something, such as a file, a run or a ticket."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

PLACEHOLDER = "{}"
FILES = re.compile(r"(/mlflow-artifacts/(?:artifacts|presigned|mpu/(?:create|complete|abort)))/.+", re.DOTALL)
MLFLOW = """
api ajax-api 2.0 3.0 mlflow mlflow-artifacts artifacts presigned mpu create complete abort health version server-info graphql
get search list update delete restore rename alias test set-tag delete-tag get-by-name get-download-uri get-latest-versions
get-history get-history-bulk-interval transition-stage log-batch log-inputs log-metric log-model log-parameter outputs
registered-models model-versions runs experiments metrics logged-models datasets tags params directories webhooks workspaces users
"""
JIRA = """
rest api latest 2 3 issue transitions comment attachment attachments content remotelink issueLink issueLinkType search jql
approximate-count project statuses createmeta editmeta issuetypes issuetype status field priority properties user assignable
myself mypermissions permissions serverInfo webhook worklog watchers screens tabs fields
"""
WORDS = frozenset(["", PLACEHOLDER, *MLFLOW.split(), *JIRA.split()])


def shape_of(url: str) -> str:
    """Without the query too. A word that is not ours becomes a placeholder, and what follows the route of files is one placeholder."""
    path = FILES.sub(rf"\1/{PLACEHOLDER}", urlsplit(url).path)
    return "/".join(part if part in WORDS else PLACEHOLDER for part in path.split("/"))
