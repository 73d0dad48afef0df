"""The tables of what the registry holds, and of what may hold a target in it. `bot.store.tables` has all tables."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()  # of all tables
Moment = sa.DateTime(timezone=True)  # always UTC

models = sa.Table(
    "models",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created", Moment, nullable=False),
    sa.Column("baseline", sa.Integer, nullable=False),
    sa.Column("newest", sa.Integer, nullable=False),
    sa.Column("newest_created", Moment),
    sa.Column("fingerprint", sa.Text, nullable=False),
)

placements = sa.Table(
    "placements",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("version_created", Moment, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.Column("is_judged", sa.Boolean, nullable=False, server_default=sa.true()),
)

# Who wrote what, as the guard of a registry's server reports it; `body` is a RegistryWrite as JSON.
registry_writes = sa.Table(
    "registry_writes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("registry_writes_of_version", "workspace", "model", "version"),
    sa.Index("registry_writes_received", "received_at"),
)

# Since when a place is watched, under which handling. It belongs to the name and stays when the model is renamed or gone: `absent_since`.
watches = sa.Table(
    "watches",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("handling", sa.Text, nullable=False),
    sa.Column("absent_since", Moment),
)

# What was in a place when it began to be watched, under the name that the model had then.
baselines = sa.Table(
    "baselines",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("version_created", Moment, primary_key=True),
    sa.Column("since", Moment, nullable=False),
)

# Which copies the requests of older releases have made; newer ones say it themselves.
copies = sa.Table(
    "copies",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("version_created", Moment, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Index("copies_by_request", "request_id"),
)

asks = sa.Table(
    "asks",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("version_created", Moment, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text),
)

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("from_version", sa.Integer),
    sa.Column("to_version", sa.Integer),
    sa.Column("at", Moment, nullable=False),
    sa.Column("done_at", Moment),
    sa.Index("open_intents", "workspace", "model", postgresql_where=sa.text("done_at is null")),
)

# Which registry a workspace's models were read from, and since when and why its present contents are not believed.
registries = sa.Table(
    "registries",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text),
    sa.Column("doubted_since", Moment),
    sa.Column("doubt", sa.Text, nullable=False, server_default=""),
    sa.Column("backup_of", Moment),
    sa.Column("accepted_backup", Moment),
)

# Registered models that cannot be read at present: every sweep tries again. `told_at` is set when it was announced.
unreadable_models = sa.Table(
    "unreadable_models",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("told_at", Moment),
)

sweeps = sa.Table(
    "sweeps",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("watermark", Moment),
    sa.Column("seen", sa.Text, nullable=False, server_default="[]"),
    sa.Column("baseline_until", Moment),
    sa.Column("done_at", Moment, nullable=False),
    # When a watermark was first met, and which. A process of the release before writes neither, and moves the watermark.
    sa.Column("watermark_at", Moment),
    sa.Column("watermark_met", Moment),
    sa.Column("settled", Moment),
)
