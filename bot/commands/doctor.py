"""Placeholder while doctor is being written."""

import click


@click.command()
def doctor() -> None:
    """Check every setting against the real systems, and say how to mend what is wrong."""
