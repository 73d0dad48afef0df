"""A local Slack and a local Jira to click on, for the demo and the tests.

Only `countersign demo`, `countersign sandbox` and the tests import this package. The real `slack_sdk`, `slack_bolt` and `jira` clients use
it over HTTP; only the base URL differs.
"""
