"""Rows that count only when ledger entries vouch for them. The bot's database role may change the rows, and no entry.

- `baselines`: what held a target when its watch began
- `restored`: which backup was restored, and whether an admin has accepted the registry since
"""
