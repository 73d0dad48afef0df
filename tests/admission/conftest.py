"""What the admission's tests share with the gate's: versions in the real MLflow, and the bot's public key."""

from tests.gate.conftest import key as key
from tests.gate.conftest import shelf as shelf
