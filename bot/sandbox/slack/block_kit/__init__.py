"""Slack's rules for blocks and views: their shapes, their limits, and the check that refuses what Slack would refuse."""
