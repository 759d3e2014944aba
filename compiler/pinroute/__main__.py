"""`python -m pinroute` is the same as `pinroute`."""

from pinroute.cli import main

main()
