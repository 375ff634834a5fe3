"""`python -m pictor_client` is the `pictor` command."""

from pictor_client.cli import main

main()
