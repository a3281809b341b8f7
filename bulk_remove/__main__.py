"""`python -m bulk_remove` is `bulk-remove`."""

from bulk_remove.cli import main

if __name__ == "__main__":
    main()
