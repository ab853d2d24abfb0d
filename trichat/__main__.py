"""`python -m trichat`."""

import sys

from trichat.cli import main

if __name__ == "__main__":
    sys.exit(main())
