"""A process that holds a campaign until it is killed: `python -m tests.support.campaign_holder STATE_DIR HOST ID`."""

import sys
from pathlib import Path

from bulk_remove.run.folders import lock_campaigns

if __name__ == "__main__":
    with lock_campaigns(Path(sys.argv[1]), sys.argv[2], [sys.argv[3]]):
        print("held", flush=True)  # noqa: T201 - for the test that waits for it
        sys.stdin.readline()
