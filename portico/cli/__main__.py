"""`python -m portico.cli` is the same as `portico`."""

from portico.cli.main import app

app()
