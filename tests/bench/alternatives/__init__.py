"""The usual ways to ask for approval of a model in Slack, written the usual way, in one fault script with Countersign."""
