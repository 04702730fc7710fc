"""`python -m stillwatch` is the command line."""

from stillwatch.doors.cli import main

main()
