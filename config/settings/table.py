"""Every environment variable that Countersign reads: its purpose, default, an example, and where to get a value.

The guide's table of settings is tested against this one. MLflow reads its own credentials (`MLFLOW_TRACKING_USERNAME`, ...) itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """`default` describes the value when unset. `fix` says where to get a value; it is printed after "X is not set."."""

    name: str
    purpose: str
    default: str
    example: str
    fix: str = ""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATABASE_URL",
        "the PostgreSQL that holds requests, votes, jobs and the ledger",
        "a PostgreSQL of its own below COUNTERSIGN_HOME",
        "postgresql://countersign:PASSWORD@db.example.com:5432/countersign",
    ),
    Setting(
        "DATABASE_OWNER_URL",
        "the same database as the owner of its tables; only `migrate` and `policy activate` use it",
        "DATABASE_URL",
        "postgresql://owner:PASSWORD@db.example.com:5432/countersign",
    ),
    Setting("COUNTERSIGN_HOME", "the directory for what Countersign keeps on disk", "./var", "/var/lib/countersign"),
    Setting(
        "COUNTERSIGN_POLICY",
        "the policy's file",
        "config/policy.yaml or policy.yaml in the current directory, else the example of Countersign, which replaces no other policy",
        "/etc/countersign/policy.yaml",
    ),
    Setting(
        "COUNTERSIGN_URL",
        "the address under which others reach the web process",
        "none",
        "https://countersign.example.com",
        "Set it to the public address of the web process, for example https://countersign.example.com.",
    ),
    Setting(
        "COUNTERSIGN_API_TOKEN",
        "the bearer token of the API and of the gate's questions",
        "none, and the API refuses every call",
        "kq3v0Yx6WmS2c9dT1uLrB8nE",
        "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
    ),
    Setting(
        "COUNTERSIGN_SIGNING_KEY",
        "the key that signs approvals, which the worker alone reads: a file, or a key service's awskms:, gcpkms:, hv: or hsm:",
        "keys/approvals.pem below COUNTERSIGN_HOME, which serve and demo make",
        "/etc/countersign/approvals.pem",
        "Make one with: countersign keys new --out FILE",
    ),
    Setting(
        "COUNTERSIGN_EARLIER_KEYS",
        "files with public keys, separated by commas, that signed approvals before the worker's key or beside it, and that it believes",
        "none",
        "/etc/countersign/approvals-2025.pub",
    ),
    Setting(
        "COUNTERSIGN_HSM_PIN",
        "the user PIN of the HSM that a key hsm: is in; PYKCS11LIB names its PKCS#11 library",
        "none",
        "648219",
    ),
    Setting(
        "COUNTERSIGN_CHECKPOINT_KEY",
        "the key file that signs the ledger's checkpoints",
        "keys/checkpoints.pem below COUNTERSIGN_HOME, which serve and demo make",
        "/etc/countersign/checkpoints.pem",
        "Make one with: countersign keys new --algorithm ed25519 --out FILE",
    ),
    Setting(
        "COUNTERSIGN_LINK_KEY",
        "the secret behind links to the bot's own pages; several, newest first, while it changes",
        "keys/link.key below COUNTERSIGN_HOME, which serve and demo make",
        "new-secret,old-secret",
        "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
    ),
    Setting(
        "COUNTERSIGN_TEMPLATES",
        "a directory with templates of your own for the weekly digest's report",
        "none: the templates that come with Countersign",
        "/etc/countersign/templates",
    ),
    Setting(
        "COUNTERSIGN_WITNESSES",
        "witnesses that cosign the ledger's checkpoints: KEY@URL, several with commas; `countersign witness` prints its KEY",
        "none: only tickets and Slack hold checkpoints",
        "witness.example.com+1a2b3c4d+BGkC...@https://witness.example.com",
        "Start one on another machine with `countersign witness`, and write the key that it prints, @ and its address.",
    ),
    Setting(
        "TSA_URL",
        "the authority that timestamps the ledger's checkpoints (RFC 3161)",
        "none",
        "http://timestamp.example.com",
    ),
    Setting(
        "TSA_CERTIFICATES",
        "a PEM file with the root certificate of that authority, and its own",
        "the roots that the package certifi trusts",
        "/etc/countersign/tsa.pem",
    ),
    Setting(
        "SMTP_URL",
        "the mail server that sends the weekly digest; ?from= names the sender, who else is the user, when that is an address",
        "none; needed when the policy's digest has an email",
        "smtp://countersign:PASSWORD@mail.example.com:587?from=countersign@example.com",
        "Set it to your mail server, such as smtps://user:password@mail.example.com, or remove `email` from the policy's digest.",
    ),
    Setting(
        "COUNTERSIGN_HOST",
        "the address that the web process listens on; `--host` overrides it",
        "127.0.0.1 for serve, all addresses for web",
        "192.0.2.10",
    ),
    Setting(
        "COUNTERSIGN_LOG_FORMAT",
        "how log lines are written: `json`, one object a line, or `text`, for a person",
        "text on a terminal, else json",
        "json",
    ),
    Setting(
        "COUNTERSIGN_KEEP_JOBS",
        "how long the worker keeps finished jobs and their errors; parked ones stay until someone replays or drops them",
        "7d",
        "30d",
    ),
    Setting(
        "COUNTERSIGN_PROXIES",
        "addresses or networks of the reverse proxies in front; their X-Forwarded-For names the client whose turn it is",
        "none: each address that connects is one client",
        "10.0.0.0/8,127.0.0.1",
    ),
    Setting("PORT", "the port that the web process listens on", "8080", "8080"),
    Setting(
        "METRICS_PORT",
        "the port of /metrics and the detailed /readyz, on loopback; HOST:PORT for another address. Never publish it",
        "none, and both are not served",
        "9464",
        "Set it to a free port that only your monitoring can reach, for example 9464.",
    ),
    Setting(
        "MLFLOW_TRACKING_URI",
        "the MLflow server whose registry is watched",
        "none",
        "https://mlflow.example.com",
        "Set it to the address of your MLflow server, for example https://mlflow.example.com.",
    ),
    Setting(
        "MLFLOW_PUBLIC_URL",
        "the address under which people see MLflow, for all links, when the bot reaches it under another",
        "MLFLOW_TRACKING_URI",
        "https://mlflow.example.com",
    ),
    Setting(
        "COUNTERSIGN_REGISTRY",
        "for a job that runs the gate or asks the bot: the name, in the bot's policy, of the registry at its MLFLOW_TRACKING_URI",
        "the bot tells by the address; without a bot, the default registry",
        "eu",
    ),
    Setting(
        "COUNTERSIGN_GUARD_SECRET",
        "what the bot shows to the guard of the MLflow server, when it has one",
        "none",
        "9d1e6f1f5a0c4f0bb0c4e8f1d2a7b3c6",
        "Make one with: openssl rand -hex 32, and give it to the MLflow server too.",
    ),
    Setting(
        "COUNTERSIGN_GUARD_TRY_URLS",
        "other addresses of MLFLOW_TRACKING_URI's server or database, at which `countersign doctor` looks for the guard too",
        "none",
        "http://mlflow.internal:5000",
    ),
    Setting(
        "MLFLOW_WEBHOOK_SECRET",
        "the secret of MLflow's webhooks; several, newest first, while it changes",
        "none, and every webhook of MLflow is refused: the poller finds the news",
        "new-secret,old-secret",
        "Set it to the secret with which the webhooks were created in MLflow.",
    ),
    Setting(
        "SLACK_BOT_TOKEN",
        "with which the bot posts and updates its cards; with Socket Mode several, newest first, while it changes",
        "none",
        "xoxb-...",
        "Create the app from config/slack_manifest.yaml and copy its Bot User OAuth Token (xoxb-...).",
    ),
    Setting(
        "SLACK_SIGNING_SECRET",
        "with which Slack signs its requests, and the worker verifies votes again; several, newest first, while it changes",
        "none; not needed with Socket Mode",
        "NEW-EXAMPLE,OLD-EXAMPLE",
        'Copy the Signing Secret from the page "Basic Information" of the Slack app, or set SLACK_APP_TOKEN for Socket Mode.',
    ),
    Setting(
        "SLACK_APP_TOKEN",
        "Socket Mode, for a bot without a public address",
        "none: Slack posts to /slack/events",
        "xapp-...",
        'Make an app-level token with connections:write on the page "Basic Information" of the Slack app (xapp-...).',
    ),
    Setting(
        "SLACK_CLIENT_ID",
        "the Slack app's id for signing in to the pages; with SLACK_CLIENT_SECRET and COUNTERSIGN_URL",
        "none, and the pages open by signed links alone",
        "25259531569.1115229150001",
        'Copy the Client ID from the page "Basic Information" of the Slack app.',
    ),
    Setting(
        "SLACK_CLIENT_SECRET",
        "with which the web process asks Slack who has signed in",
        "none, and the pages open by signed links alone",
        "8f742231b10e8888abcd99bbbccc85a5",
        'Copy the Client Secret from the page "Basic Information" of the Slack app.',
    ),
    Setting(
        "SLACK_API_URL",
        "another address of Slack's Web API; ends in /api/",
        "https://slack.com/api/",
        "https://slack.com/api/",
    ),
    Setting(
        "JIRA_URL",
        "the Jira that gets the tickets",
        "none; needed when a rule of the policy, or its digest, has a ticket",
        "https://example.atlassian.net",
        "Set it to the address of your Jira, for example https://example.atlassian.net, or remove `ticket` from the policy's rules.",
    ),
    Setting("JIRA_EMAIL", "Jira Cloud: the account that the API token belongs to", "none", "countersign@example.com"),
    Setting("JIRA_API_TOKEN", "Jira Cloud: an API token of that account", "none", "ATATT..."),
    Setting("JIRA_TOKEN", "Jira Data Center: a personal access token", "none", "NjE0ODI..."),
    Setting(
        "JIRA_WEBHOOK_SECRET",
        "the secret of Jira's webhook; several, newest first, while it changes",
        "none, and every webhook of Jira is refused",
        "new-secret,old-secret",
        "Set it to the secret that was entered for the webhook in Jira's administration.",
    ),
)
