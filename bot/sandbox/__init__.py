"""A local Slack and a local Jira to click on: the other side of the demo and of the tests.

Nothing in the product imports this package, but for `countersign demo`. Real `slack_sdk`, `slack_bolt` and `jira` clients talk to it over
HTTP with only the base URL changed.
"""
