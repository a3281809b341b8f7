import os
import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001 - pytest's own name
    """Leave the profiles of whoever runs the tests alone.

    Undo also what a shell does to a command in its background: there Ctrl-C is ignored, by every process it starts.
    """
    os.environ["BULK_REMOVE_CONFIG"] = os.devnull
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: ARG001 - xdist's own name
    """Return twice the cores: half of the time a test waits for a process of its own."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)
