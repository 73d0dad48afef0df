"""Telling people: cards, tickets, messages and announcements."""
