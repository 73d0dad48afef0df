"""Parses single settings. Each function takes the text, returns the value, and raises ValueError with the fix.

No error repeats the value, because many are secrets. The list of settings is in `config.settings.table`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from bot.domain.ledger.cosignature import WitnessKey
from bot.domain.workspaces import REGISTRY_NAME
from bot.errors import InvalidCheckpoint
from bot.mlflow_addresses import mistake_in

API_TOKEN_LENGTH = 16
KEY_SERVICES = ("awskms", "gcpkms", "hv", "hsm")
HIGHEST_PORT = 65535
LOOPBACK = "127.0.0.1"
LOG_FORMATS = ("json", "text")
DAYS = re.compile(r"[0-9]{1,4}d")
MOST_DAYS = 3_650
Network = IPv4Network | IPv6Network
SENDER = re.compile(r"[!-~]+@[!-~]+")
ESCAPES = "Write a / # or ? within a password as %2F, %23 or %3F"
GATEWAY = re.compile(r"/ex/jira/[\w-]+")
# What a page's address in a browser goes on with, behind the path that a Data Center may be installed under, such as /jira
PAGES_OF_JIRA = re.compile(
    r"/(software|core|servicedesk|your-work|for-you|dashboards|people|browse|projects|secure|issues|plugins|rest|login|login\.jsp)(/|$)"
)

# https://docs.slack.dev/authentication/tokens and https://support.atlassian.com for ATATT; the longer prefix first
PASTED = {
    "xoxb-": "a bot token, which belongs in SLACK_BOT_TOKEN",
    "xapp-": "an app-level token, which belongs in SLACK_APP_TOKEN",
    "xoxp-": "a user token, which Countersign does not use",
    "xoxe": "a token that expires; turn off token rotation for the Slack app",
    "ATATT": "an Atlassian API token, which belongs in JIRA_API_TOKEN",
}


def secret(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("contains a space, or a character that no token has. Copy it again, the whole of it")
    return text


def registry_name(text: str) -> str:
    if text and not REGISTRY_NAME.fullmatch(text):
        raise ValueError(
            "is no name of a registry. Set it to one in the policy's registries, or unset it for the default one"
        )
    return text


def several_secrets(text: str) -> tuple[str, ...]:
    """Secrets separated by commas or white space, newest first, so that one can be rotated without losing a delivery."""
    found = tuple(secret(word) for word in text.replace(",", " ").split())
    if not found:
        raise ValueError("holds only commas. Write the secret, or several with the newest first")
    return found


def slack_bot_tokens(text: str) -> tuple[str, ...]:
    """Newest first: requests over Socket Mode that an earlier token sealed are still verified."""
    wanted = 'the Bot User OAuth Token from the page "OAuth & Permissions" of the Slack app'
    return tuple(_prefixed(word.strip(), "xoxb-", wanted) for word in text.split(","))


def slack_app_token(text: str) -> str:
    return _prefixed(
        text, "xapp-", 'an app-level token with connections:write from the page "Basic Information" of the Slack app'
    )


def slack_signing_secrets(text: str) -> tuple[str, ...]:
    for word in text.replace(",", " ").split():
        _refuse_strangers(word, "", 'the Signing Secret from the page "Basic Information" of the Slack app')
    return several_secrets(text)


def slack_client_id(text: str) -> str:
    """Two numbers with a point between them; the app's id (A...) and its secrets are other values of the same page."""
    if not re.fullmatch(r"[0-9]+\.[0-9]+", text):
        raise ValueError(
            "is no Client ID: those are two numbers with a point between them. Copy it from Basic Information"
        )
    return text


def slack_client_secret(text: str) -> str:
    _refuse_strangers(text, "", 'the Client Secret from the page "Basic Information" of the Slack app')
    return secret(text)


def jira_secret(text: str) -> str:
    _refuse_strangers(text, "ATATT", "a token that Jira gave you")
    return secret(text)


def _prefixed(text: str, prefix: str, wanted: str) -> str:
    _refuse_strangers(text, prefix, f"{wanted} ({prefix}...)")
    if not text.startswith(prefix):
        raise ValueError(f"does not begin with {prefix}. Copy {wanted}")
    return secret(text)


def _refuse_strangers(text: str, own_prefix: str, wanted: str) -> None:
    """Names the kind of secret that was pasted by mistake."""
    pasted = next((prefix for prefix in PASTED if text.startswith(prefix) and prefix != own_prefix), None)
    if pasted:
        raise ValueError(f"holds {PASTED[pasted]}. Copy {wanted}")


def api_token(text: str) -> str:
    if len(text) < API_TOKEN_LENGTH:
        raise ValueError(
            f"has fewer than {API_TOKEN_LENGTH} characters, which can be guessed. "
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret(text)


def signing_key(text: str) -> str:
    """The path of a file, or the URI of a key in a key service."""
    scheme, separator, rest = text.partition(":")
    if separator and scheme in KEY_SERVICES and not rest:
        raise ValueError(f"names a key service, but no key in it. Write {scheme}: and the key's name")
    if separator and scheme not in KEY_SERVICES and scheme.isalnum() and len(scheme) > 1:
        raise ValueError(
            "names a kind of key that is not known. Write the path of a file, or awskms:, gcpkms:, hv: or hsm: and a key"
        )
    return str(key_file(text)) if scheme not in KEY_SERVICES else text


def key_file(text: str) -> Path:
    if text.startswith("-----BEGIN"):
        raise ValueError(
            "holds a key itself. Write the key into a file that only its owner may read, and name the file here"
        )
    return Path(text)


def key_files(text: str) -> tuple[Path, ...]:
    """Separated by commas."""
    return tuple(key_file(one.strip()) for one in text.split(",") if one.strip())


@dataclass(frozen=True)
class WitnessAddress:
    key: WitnessKey
    url: str


def witnesses(text: str) -> tuple[WitnessAddress, ...]:
    """KEY@URL, separated by commas."""
    return tuple(_witness(one.strip()) for one in text.split(",") if one.strip())


def _witness(text: str) -> WitnessAddress:
    key, _, url = text.partition("@")
    try:
        return WitnessAddress(WitnessKey.parse(key), web_address(url))
    except InvalidCheckpoint as mistake:
        raise ValueError(f"has a witness that cannot be used: {mistake}") from None


def link_keys(text: str) -> tuple[str, ...]:
    return tuple(map(api_token, several_secrets(text)))


def database_url(text: str) -> str:
    """Accepts `postgres://`, which some hosts write, as `postgresql://`, which SQLAlchemy needs."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError("is not an address. Write postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    if scheme in ("postgresql", "postgres") and rest:
        return f"postgresql://{rest}"
    if scheme.startswith("postgres"):
        raise ValueError("names a driver, or no host. Write it as postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    raise ValueError(
        "is not a PostgreSQL address, and Countersign stores everything in PostgreSQL. It begins with postgresql://"
    )


def mlflow_address(text: str) -> str:
    """A vendor's own registry is refused with the reason."""
    mistake = mistake_in(text)
    if mistake:
        raise ValueError(mistake.removesuffix("."))
    parts = _split(text)
    if parts.username or parts.password:
        raise ValueError("contains a password. Move it to MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    return web_address(text)


def web_address(text: str) -> str:
    """Removes the slash at the end."""
    if "://" not in text:
        raise ValueError("has no scheme. Write https:// or http:// in front")
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a web address. It begins with https:// or http:// and a host's name")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("may hold only scheme, host, port and path. Remove the rest, such as a password or a query")
    return text.rstrip("/")


def jira_address(text: str) -> str:
    """The site's address alone, or that of Atlassian's gateway; not one copied from the browser."""
    parts = _split(text) if "://" in text else None
    if parts is None or parts.username or parts.password:
        return web_address(text)
    site, host = f"{parts.scheme}://{parts.netloc}", parts.hostname or ""
    if host == "api.atlassian.com":
        if not GATEWAY.fullmatch(parts.path.rstrip("/")):
            raise ValueError(
                "is Atlassian's gateway without the site. Write https://api.atlassian.com/ex/jira/CLOUD-ID"
            )
        return web_address(text)
    page = PAGES_OF_JIRA.search(parts.path)
    if host.endswith((".atlassian.net", ".jira.com")) and (parts.path.strip("/") or parts.query or parts.fragment):
        raise ValueError(f"is the address of a page of Jira. Write the site alone: {site}")
    if page is not None:
        raise ValueError(
            f"is the address of a page of Jira. Write only what is before it: {site}{parts.path[: page.start()]}"
        )
    return web_address(text)


def slack_api_url(text: str) -> str:
    if not text.endswith("/api/"):
        raise ValueError("must end in /api/, as in https://slack.com/api/")
    return web_address(text) + "/"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # parsed only on access; raises for :notanumber
    except ValueError:
        raise ValueError("is not an address: look at the host and the port") from None
    if " " in text or not text.isprintable():
        raise ValueError("contains white space. Remove it")
    return parts


def smtp_url(text: str) -> str:
    """`?from=` names the sender; needed when the user is not an address."""
    example = "Write it as smtp://user:password@mail.example.com:587, or smtps:// for a server that is encrypted from the first byte"
    if "://" not in text:
        raise ValueError(f"has no scheme. {example}")
    _refuse_a_password_that_ends_the_host(text)
    parts = _split(text)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(f"is not the address of a mail server. {example}")
    if bool(parts.username) is not bool(parts.password):
        raise ValueError(
            "has a user without a password, or the reverse. Write both, or neither for a server that asks for none"
        )
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError(f"has more than a user, a host and a port. {ESCAPES}")
    _check_sender(parts.query)
    return text


def _refuse_a_password_that_ends_the_host(text: str) -> None:
    """A mail server has no path: an @ behind the first / # or ? shows that the password, or the user, contains one of them."""
    rest = re.split(r"[?&]from=", text.partition("://")[2])[0]
    if "@" in rest and "@" not in re.split(r"[/?#]", rest)[0]:
        raise ValueError(f"has a / # or ? before its host. {ESCAPES}")


def _check_sender(query: str) -> None:
    asked = parse_qs(query, keep_blank_values=True)
    if query and (list(asked) != ["from"] or len(asked["from"]) > 1 or not SENDER.fullmatch(asked["from"][0])):
        raise ValueError(
            "may end in ?from= and the sender's address, such as ?from=countersign@example.com, and in nothing else"
        )


def directory(text: str) -> Path:
    if not _is_directory(text):
        raise ValueError(
            "names no directory. Make it, or remove the setting to use the templates that come with Countersign"
        )
    return Path(text)


def _is_directory(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except OSError:  # the name is too long
        return False


def email(text: str) -> str:
    if text.count("@") != 1 or text.startswith("@") or text.endswith("@"):
        raise ValueError("is not an e-mail address. Write the one of the Jira account that the API token belongs to")
    return text


def port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= HIGHEST_PORT and len(text) <= 6):
        raise ValueError(f"is not a port. Write a number from 1 to {HIGHEST_PORT}, such as 8080")
    return int(text)


def host(text: str) -> str:
    if text == "localhost":
        return text
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(
            "is not an address of this machine. Write 127.0.0.1 for this machine alone, or 0.0.0.0 for every network"
        ) from None


def log_format(text: str) -> str:
    if text and text not in LOG_FORMATS:
        raise ValueError("is no format of log lines. Write json or text, or unset it")
    return text


def days(text: str) -> timedelta:
    """As 30d. At least one: an operator looks at yesterday's jobs when something went wrong in the night."""
    number = int(text[:-1]) if DAYS.fullmatch(text) else 0
    if not 1 <= number <= MOST_DAYS:
        raise ValueError(f"is not a number of days from 1d to {MOST_DAYS}d. Write one such as 7d")
    return timedelta(days=number)


def host_and_port(text: str) -> tuple[str, int]:
    """A port alone is one on loopback."""
    address, colon, number = text.rpartition(":")
    return (host(address) if colon else LOOPBACK), port(number)


def networks(text: str) -> tuple[Network, ...]:
    """Addresses or networks, separated by commas or white space."""
    try:
        return tuple(ip_network(word) for word in text.replace(",", " ").split())
    except ValueError:
        why = "is not a list of addresses or networks. Write them with commas between, such as 10.0.0.0/8,192.0.2.7"
        raise ValueError(why) from None
