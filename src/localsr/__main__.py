"""`python -m localsr` is the command `localsr`."""

from localsr.cli import main

if __name__ == "__main__":
    main()
