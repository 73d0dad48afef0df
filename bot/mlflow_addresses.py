"""Which addresses stand for an MLflow server that Countersign supports, and why the others do not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.locations import parts_of

NO_SERVER = "is not the address of an MLflow server. Set it to one, such as https://mlflow.example.com."
NOT_SET = "is not set. Set it to the address of an MLflow server, such as https://mlflow.example.com."
NO_SCHEME = "has no scheme. Write https:// or http:// in front."
NO_SCHEME_YET = re.compile(r"[\w-]+(\.[\w-]+)*:\d+(/.*)?|[\w-]+(\.[\w-]+)+(/.*)?|\[[0-9a-fA-F:]+\](:\d+)?(/.*)?")
DEFAULT_WORKSPACE = "default"
INSTEAD = "Use a server that you run with `mlflow server`, such as https://mlflow.example.com."


@dataclass(frozen=True)
class Vendor:
    """Its addresses: `schemes` before a colon, also alone as in `databricks`, and `hosts` at the end of a host's name."""

    what: str
    because: str
    schemes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


DATABRICKS = Vendor(
    "a Databricks workspace",
    "the models of Unity Catalog stay unseen at that address, and Databricks signs its webhooks in a way of its own",
    ("databricks",),
    ("databricks.com", "azuredatabricks.net", "databricks.us", "databricks.azure.us", "databricks.azure.cn"),
)
VENDORS = (
    Vendor(
        "Unity Catalog",
        "its models have names in three parts and no webhooks, and are read in another way than MLflow's own",
        ("databricks-uc", "uc"),
    ),
    DATABRICKS,
    Vendor(
        "an Azure Machine Learning workspace",
        "its registry is not MLflow's own, and it is reached with a plugin and tokens of Microsoft Entra ID",
        ("azureml", "adbazureml"),
        ("azureml.ms", "ml.azure.com", "ml.azure.us", "ml.azure.cn"),
    ),
    Vendor(
        "SageMaker",
        "each call must be signed with AWS credentials by a plugin of its own",
        ("arn",),
        ("sagemaker.aws", "sagemaker.amazonaws.com"),
    ),
)
SAGEMAKER = re.compile(r"(.+\.)?sagemaker\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")


def mistake_in(address: str) -> str:
    """Completes the setting's name to a sentence; empty when the address may be that of an MLflow server."""
    vendor = _vendor_of(address.strip())
    if vendor is not None:
        return not_supported(vendor)
    if _is_http(address):
        return ""
    return NO_SCHEME if NO_SCHEME_YET.fullmatch(address) else NO_SERVER


def not_supported(vendor: Vendor) -> str:
    return f"names {vendor.what}, which is not supported, because {vendor.because}. {INSTEAD}"


def _vendor_of(address: str) -> Vendor | None:
    scheme = address.partition(":")[0].lower()
    parts = parts_of(address)
    host = ((parts.hostname or "") if parts else "").rstrip(".")
    at_home = SAGEMAKER.sub("sagemaker.amazonaws.com", host)
    for vendor in VENDORS:
        if scheme in vendor.schemes or any(f".{at_home}".endswith(f".{known}") for known in vendor.hosts):
            return vendor
    return None


def _is_http(address: str) -> bool:
    """A path or a database address would do for MLflow's client, which would make a new, empty registry there."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def looks_elsewhere(environ: Mapping[str, str]) -> Iterator[str]:
    """Sentences about variables that lead MLflow's client, beside us, to other models than those that we look at."""
    apart = registry_elsewhere(environ.get("MLFLOW_TRACKING_URI", ""), environ.get("MLFLOW_REGISTRY_URI", ""))
    if apart:
        yield f"MLFLOW_REGISTRY_URI {apart}"


def registry_elsewhere(tracking_uri: str, registry_uri: str) -> str:
    """Of MLFLOW_REGISTRY_URI, which splits a registry from its runs; empty when it is the same server or not set."""
    if not registry_uri.strip() or registry_uri.strip().rstrip("/") == tracking_uri.strip().rstrip("/"):
        return ""
    vendor = _vendor_of(registry_uri.strip())
    what = f"names {vendor.what}" if vendor else "names another registry than MLFLOW_TRACKING_URI"
    because = vendor.because if vendor else "the runs behind a version must be on the server that has the version"
    return f"{what}, which is not supported, because {because}. Unset MLFLOW_REGISTRY_URI for Countersign."


def workspace_elsewhere(workspace: str) -> str:
    """Of MLFLOW_WORKSPACE, which MLflow's client sends along with every call of a process; empty when it is the default one, or not set.

    The bot is refused it: it watches the workspaces that its policy names, and models of the same names are others in each.
    """
    if workspace.strip() in ("", DEFAULT_WORKSPACE):
        return ""
    return (
        "names a workspace, which is for the jobs that train and ship models. The bot watches the workspaces that its policy names: unset "
        "MLFLOW_WORKSPACE for it, and add the workspace to registries in the policy."
    )
