import os
import shutil
import signal
from collections.abc import Iterator
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

from bulk_remove.language import ENGLISH, use
from tests.support.phrases_watched import watched_phrases

# Two runs of the tests say the same, also on a slow machine. They look at few examples, `make deep` at many others.
ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", ANY_MACHINE, derandomize=True, max_examples=25)
settings.register_profile("deep", ANY_MACHINE, max_examples=1000)
settings.load_profile("repeatable")
_IN_MEMORY, _ENOUGH_BYTES = "/dev/shm", 2 << 30  # noqa: S108 - pytest makes a private folder in it


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001 - pytest's own name
    """Leave the profiles of whoever runs the tests alone.

    Undo also what a shell does to a command in its background: there Ctrl-C is ignored, by every process it starts.
    """
    os.environ["BULK_REMOVE_CONFIG"] = os.devnull
    # Files of tests are kept in memory where there is enough: thousands of commits would wait for the disk. Tests kill
    # processes, never the machine, so none needs what only a disk keeps.
    if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _IN_MEMORY)
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGTSTP"):
        number = getattr(signal, name, None)  # Windows has but the first two
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: ARG001 - xdist's own name
    """Return three times the cores: most of the time a test waits for a process of its own."""
    return 3 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 3 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix files whose tests wait with files whose tests compute, in an order that is always the same."""
    items.sort(key=lambda item: crc32(item.path.name.encode()))


@pytest.fixture(autouse=True, scope="session")
def watched_phrases_fixture() -> Iterator[None]:
    """Let no test pass in which a text could not be translated any more."""
    with watched_phrases():
        yield


@pytest.fixture(autouse=True)
def _english_fixture() -> Iterator[None]:
    """A process shows all texts in one language: that of a test must not be that of the next."""
    use(ENGLISH)
    yield
    use(ENGLISH)


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says of proxies would lead requests away from loopback."""
    for name in tuple(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
