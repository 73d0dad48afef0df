"""The tables for SQLAlchemy Core. The migrations create them; the other modules of the store use them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from bot.store.tables import calm as calm
from bot.store.tables import evidence as evidence
from bot.store.tables.entries import OF_REQUEST as OF_REQUEST
from bot.store.tables.entries import entry_model as entry_model
from bot.store.tables.entries import entry_place as entry_place
from bot.store.tables.entries import entry_request as entry_request
from bot.store.tables.entries import of_places as of_places
from bot.store.tables.entries import was_seen as was_seen
from bot.store.tables.passkeys import passkey_cards as passkey_cards
from bot.store.tables.passkeys import passkey_requests as passkey_requests
from bot.store.tables.passkeys import pending_enrolments as pending_enrolments
from bot.store.tables.passkeys import pending_votes as pending_votes
from bot.store.tables.passkeys import sign_off_requests as sign_off_requests
from bot.store.tables.registry import Moment as Moment
from bot.store.tables.registry import asks as asks
from bot.store.tables.registry import baselines as baselines
from bot.store.tables.registry import copies as copies
from bot.store.tables.registry import intents as intents
from bot.store.tables.registry import metadata as metadata
from bot.store.tables.registry import models as models
from bot.store.tables.registry import placements as placements
from bot.store.tables.registry import registries as registries
from bot.store.tables.registry import registry_writes as registry_writes
from bot.store.tables.registry import sweeps as sweeps
from bot.store.tables.registry import unreadable_models as unreadable_models
from bot.store.tables.registry import watches as watches
from bot.store.tables.tickets import ticket_acts as ticket_acts
from bot.store.tables.web import homes as homes
from bot.store.tables.web import web_sessions as web_sessions

# Exactly the text of the ledger's index: with bound values PostgreSQL would not use it.
decides = sa.text("kind in ('RequestApproved', 'RequestRejected')")
activates = sa.text("kind = 'PolicyActivated'")
of_accounts = sa.text("kind in ('AccountBound', 'AccountUnbound', 'OldRecordsListed')")
of_passkeys = sa.text("kind in ('PasskeyEnrolled', 'PasskeyConfirmed', 'PasskeyRevoked')")
of_fast_track = sa.text("kind in ('FastTrackJudged', 'FastTrackCompared', 'RequestApproved', 'RequestRejected')")

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="promotion"),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("version_created", Moment, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("ticket_id", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    # What the version is made of, once its evidence is frozen: earlier rejections are found by it.
    sa.Column("content_digest", sa.Text),
    sa.Column("content_origin", sa.Text),
    # What the pages search by: who asked, trained, voted or ended it.
    sa.Column("decided_at", Moment),
    sa.Column("ticket_key", sa.Text),
    sa.Column("review_by", Moment),  # of a broken glass, until somebody else has looked at it
    sa.Column("people", ARRAY(sa.Text), nullable=False, server_default="{}"),
    # A webhook and a poll of the same change make one request, in either order of commit.
    sa.Index(
        "one_live_request",
        "workspace",
        "model",
        "version",
        "version_created",
        "target",
        unique=True,
        postgresql_where=sa.text("state in ('collecting', 'pending', 'approved')"),
    ),
    sa.Index("requests_by_model", "workspace", "model", "state"),
    sa.Index("requests_by_target", "workspace", "target", "opened_at"),
    sa.Index("requests_by_opening", "opened_at"),
    # Sweeps, the clock and the metrics ask for open requests, or how many are in each state, every minute.
    sa.Index("requests_by_state", "state", "opened_at"),
    sa.Index("requests_by_ticket", "ticket_id"),
    sa.Index("requests_by_digest", "content_digest"),
    sa.Index("requests_by_origin", "content_origin"),
    sa.Index("requests_by_version", "version_created", "version"),
    sa.Index("requests_by_number", "workspace", "model", "version"),
    sa.Index("requests_by_ticket_key", "ticket_key"),
    sa.Index("requests_to_review", "review_by", postgresql_where=sa.text("review_by is not null")),
    sa.Index("requests_by_people", "people", postgresql_using="gin"),
    sa.Index("requests_by_decision", "decided_at"),
    sa.Index("rollbacks_by_opening", "opened_at", postgresql_where=sa.text("kind = 'rollback'")),  # few among all
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
    sa.Index("ledger_by_time", "at"),
    # The report on the fast track, and every card under a rule with one, count these among all other entries.
    sa.Index("fast_track_compared", "seq", postgresql_where=sa.text("kind = 'FastTrackCompared'")),
    sa.Index("fast_track_entries", "kind", "at", postgresql_where=of_fast_track),
    # Each version's page looks up the ledger entries that decided its requests.
    sa.Index("decisions_by_request", entry_request, postgresql_where=decides),
    # Every vote checks whose account it came from, before it is signed.
    sa.Index("account_entries", "seq", postgresql_where=of_accounts),
    # Every signature checks whether its key counts, and few entries are about keys.
    sa.Index("key_entries", "seq", postgresql_where=sa.text("kind in ('KeyAdded', 'KeyRetired')")),
    # A vote under a rule that asks for a passkey reads all entries about passkeys, of which there are few.
    sa.Index("passkey_entries", "seq", postgresql_where=of_passkeys),
    # Every signature checks which policies were put in force, and that the request is what its entries made of it.
    sa.Index("policy_entries", "seq", postgresql_where=activates),
    # Every scrape of the metrics counts these.
    sa.Index("refused_vote_entries", "seq", postgresql_where=sa.text("kind = 'VoteRefused'")),
    sa.Index("entries_by_request", entry_request),
    # A model's history has these, and each promotion may bring one.
    sa.Index("seen_by_model", entry_model, postgresql_where=was_seen),
    sa.Index("entries_by_place", entry_place, "seq", postgresql_where=of_places),
    # Histories, baselines, renames and left out digests are read by kind, among a million entries about requests.
    sa.Index("entries_by_kind", "kind", "seq"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", Moment, nullable=False, index=True),
)

# Creates at a vendor that were started and whose outcome may be unknown: looked up before creating again. `digest` is of the content
# where a later one may differ (`bot.store.outbox`).
sendings = sa.Table(
    "sendings",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("begun_at", Moment, nullable=False),
    sa.Column("done_at", Moment),
    sa.Column("digest", sa.Text),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("activated_at", Moment, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("pem", sa.Text, nullable=False),
    sa.Column("added_at", Moment, nullable=False),
    sa.Column("added_seq", sa.BigInteger, nullable=False),
    sa.Column("retired_seq", sa.BigInteger),
    sa.Column("retired_because", sa.Text, nullable=False, server_default=""),
)

# Signed envelopes. `seq` is the ledger entry with the envelope's digest; `person` is empty for a decision. A person who voted again after
# the rule had changed has two.
attestations = sa.Table(
    "attestations",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("envelope", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("signed_at", Moment, nullable=False),
    sa.Index("attestations_by_request", "request_id"),
)

# The request that a vote came in, as it was signed, and the vote as it was cast (JSON). A request makes one vote. `key` names the secret
# that signed it, as far as it is known.
signed_requests = sa.Table(
    "signed_requests",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("vote", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, server_default=""),
    sa.Index("signed_requests_by_request", "request_id"),
)

# Signed heads of the ledger that outside witnesses have. The frontier lets the tree grow without reading older leaves.
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
)

# What each witness outside has signed over a checkpoint: a cosignature's line, or a timestamp token in base64.
witnessed = sa.Table(
    "witnessed",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", sa.Text, primary_key=True),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("got_at", Moment, nullable=False),
)

# Short-lived verdicts for serving, renewed by the worker while the approval is valid.
verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("envelope", sa.Text, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
)

# The newest signed list of what is governed in each registry, for the guards of their servers.
governed_lists = sa.Table(
    "governed_lists",
    metadata,
    sa.Column("registry", sa.Text, primary_key=True),
    sa.Column("covers", sa.BigInteger, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("envelope", sa.Text, nullable=False),
)

# `sha256sum`-format lists of a version's files, by the digest that attestations name.
manifests = sa.Table(
    "manifests",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)

# What a worker read from a dvc.lock, as JSON, by the sha256 of the lock.
pipelines = sa.Table(
    "pipelines",
    metadata,
    sa.Column("lock_sha256", sa.Text, primary_key=True),
    sa.Column("pipeline", sa.Text, nullable=False),
)

# The progress of reading a large version's files: bytes read, and the total.
readings = sa.Table(
    "readings",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)

# One row per week: the frozen figures (canonical JSON), the files that are not made again, and the deliveries.
digests = sa.Table(
    "digests",
    metadata,
    sa.Column("week", sa.Text, primary_key=True),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("starts", Moment, nullable=False),
    sa.Column("ends", Moment, nullable=False),
    sa.Column("closed_at", Moment, nullable=False),
    sa.Column("figures", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("pdf", sa.LargeBinary, nullable=False),
    sa.Column("chart", sa.LargeBinary, nullable=False),
    sa.Column("holdings", sa.Text, nullable=False),
    sa.Column("waiting", sa.Text, nullable=False),
    sa.Column("sizes", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("card", sa.Text),
    sa.Column("posted", sa.Text),
    sa.Column("ticket", sa.Text),
    sa.Column("mailed_at", Moment),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("account", sa.Text, unique=True),
)

# Which account was whose, and when: what a person may not vote on stays closed to every account that was theirs.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("bound_at", Moment, nullable=False),
    sa.Column("unbound_at", Moment),
    sa.Index("accounts_by_person", "person"),
    sa.Index("accounts_by_account", "account"),
    sa.Index("one_person_an_account", "account", unique=True, postgresql_where=sa.text("unbound_at is null")),
    sa.Index("one_account_a_person", "person", unique=True, postgresql_where=sa.text("unbound_at is null")),
)

absences = sa.Table(
    "absences",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("delegate", sa.Text, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("until", Moment, nullable=False),
    sa.Index("absences_by_delegate", "delegate"),
)

# One row, created by the migration. A decision by the fast track locks it.
switches = sa.Table(
    "switches",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("is_on", sa.Boolean, nullable=False),
    sa.Column("at", Moment),
    sa.Column("person", sa.Text),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
)

clock_ticks = sa.Table(
    "clock_ticks",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("at", Moment, nullable=False),
)
