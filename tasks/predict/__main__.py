"""`python -m tasks.predict NAME ...`."""

import sys

from tasks.predict.command import main

if __name__ == "__main__":
    sys.exit(main())
