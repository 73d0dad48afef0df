"""Slack: cards, replies, files, people and clicks."""
