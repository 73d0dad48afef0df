"""Vendor-free cards and the sentences on them."""
