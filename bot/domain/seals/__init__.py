"""Sealed stores: `places` has the plain values, which requests and rules hold; `events` what is recorded about them."""
