"""`python -m bulk_remove` is `bulk-remove`."""

import os
import sys

from bulk_remove.cli import main

# With -m Python looks into the current folder first, and more is imported later. That may be anybody's drop folder.
if sys.path and sys.path[0] == os.getcwd():  # noqa: PTH109 - as Python put it there
    del sys.path[0]


if __name__ == "__main__":
    main()
