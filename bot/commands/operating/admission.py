"""`countersign admission`: answers Kubernetes' admission webhooks. It needs a registry and a key or the bot, but no database."""

from __future__ import annotations

import os
import re
import ssl
from datetime import timedelta
from pathlib import Path

import click

from bot.admission.app import create_app
from bot.admission.judging import Judge
from bot.commands.output.printing import say
from bot.domain.text import counted
from bot.errors import Refused
from bot.gate.checks import check_can_ask, proof_of
from bot.gate.command import Age
from bot.gate.keys import read_keys
from bot.language import capitalised
from config.admission import read_plan

ADDRESS = re.compile(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--plan", "plan_file", required=True, type=FILE, metavar="FILE", help="Which namespaces need which target."
)
@click.option("--tls-cert", required=True, type=FILE, metavar="FILE", help="PEM certificate for the service's name.")
@click.option("--tls-key", required=True, type=FILE, metavar="FILE", help="Its private key.")
@click.option("--client-ca", type=FILE, metavar="FILE", help="Answer only clients with a certificate of this CA.")
@click.option("--listen", default="0.0.0.0:8443", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="PEM file of a public key that the bot signs with; repeatable.",
)
@click.option("--bot", metavar="URL", help="Ask the bot there. Default: COUNTERSIGN_URL, where its token is set.")
@click.option("--max-age", type=Age(), help="Without the bot: the oldest approval that counts, such as 30d.")
def admission(
    plan_file: Path,
    tls_cert: Path,
    tls_key: Path,
    client_ca: Path | None,
    listen: str,
    keys: tuple[Path, ...],
    bot: str | None,
    max_age: timedelta | None,
) -> None:
    """Refuse pods and inference services whose model is not approved for their namespace.

    Serves POST /validate and POST /annotate for Kubernetes, and GET /healthz. It reads the registry at MLFLOW_TRACKING_URI, as
    `countersign gate check` does.
    """
    address = ADDRESS.fullmatch(listen)
    if address is None or int(address["port"]) > 65535:
        raise click.BadParameter(f"{listen} is no HOST:PORT", param_hint="--listen")
    try:
        from bot.admission.server import AdmissionServer, options_for
    except ModuleNotFoundError:
        raise click.ClickException("install the extra: pip install 'mlflow-countersign[admission]'") from None
    try:
        plan = read_plan(plan_file)
        _check_certificate(tls_cert, tls_key, client_ca)
        check_can_ask(os.environ)
        proof = proof_of(os.environ, read_keys(keys), bot, max_age)
    except Refused as refusal:
        raise click.UsageError(capitalised(str(refusal))) from None
    judge = Judge(plan, proof, os.environ)
    options = options_for(listen, str(tls_cert), str(tls_key), str(client_ca) if client_ca else "")
    say(
        f"answering admission reviews at https://{listen}, for {counted(len(plan.rules), 'pattern')} of namespaces",
        err=True,
    )
    AdmissionServer(create_app(judge), options).run()


def _check_certificate(certificate: Path, key: Path, client_ca: Path | None) -> None:
    """Raises Refused now, instead of an error for each connection later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as trouble:
        why = trouble.strerror or type(trouble).__name__
        raise Refused(f"--tls-cert {certificate} and --tls-key {key} cannot be used: {why}. Give a PEM pair.") from None
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as trouble:
        why = trouble.strerror or type(trouble).__name__
        raise Refused(f"--client-ca {client_ca} cannot be used: {why}. Give certificates in PEM.") from None
