"""Makes this Python as like Windows as Linux allows: what it lacks is missing, what it refuses is refused.

Executed first in a process of its own. The standard library and other packages are loaded before, because they choose
their code by the platform. It cannot show the console, access lists, drive letters, or the real file system.
"""

import asyncio
import asyncio.selector_events
import builtins
import contextlib
import errno
import io
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

LOADED = (
    "aiohttp", "aiohttp.web", "apprise", "charset_normalizer", "click", "click.shell_completion", "email.utils",
    "filelock", "getpass", "glob", "importlib.resources", "jinja2", "keyring", "logging.handlers",
    "multiprocessing.connection", "numpy", "olefile", "orjson", "pandas", "phonenumbers", "platformdirs",
    "prometheus_client", "rich.console", "rich.live", "rich.progress_bar", "rich.table", "sqlite3", "subprocess",
    "tempfile", "tenacity", "webbrowser", "xlsxwriter", "zipfile",
)  # fmt: skip
MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
OF_OS = (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "chown", "fchmod", "fchown", "fork", "getegid",
    "geteuid", "getgid", "getpgid", "getpgrp", "getuid", "killpg", "lchown", "mkfifo", "openpty", "posix_fadvise",
    "pread", "pwrite", "sched_getaffinity", "setsid", "statvfs", "tcgetpgrp", "tcsetpgrp", "uname", "wait3", "wait4",
)  # fmt: skip
OF_SIGNAL = (
    "SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2",
    "SIGWINCH", "alarm", "pthread_kill", "setitimer", "sigwait",
)  # fmt: skip
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
_TWO_PATHS = {"link", "rename", "replace"}


class Without(ModuleType):
    """A module as it is, without some names and with others."""

    def __init__(self, module: ModuleType, missing: Sequence[str], **other: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update({name: value for name, value in vars(module).items() if name not in missing}, **other)


def check_name(path: Any) -> None:
    """Raise OSError for a name that Windows forbids."""
    name = "" if isinstance(path, int) else PurePath(os.fsdecode(path)).name
    if _FORBIDDEN.search(name):
        raise OSError(errno.EINVAL, "Windows forbids this name", str(path))


def check_closed(path: Any) -> None:
    """Raise PermissionError for a file that this process has open: Windows neither renames nor deletes it."""
    try:
        wanted = Path(path).lstat()
    except OSError:
        return
    for descriptor in Path("/proc/self/fd").iterdir():
        facts = None
        with contextlib.suppress(OSError):
            facts = os.fstat(int(descriptor.name))
        if facts is not None and os.path.samestat(facts, wanted):
            raise PermissionError(errno.EACCES, "this process has it open", str(path))


def refusing(name: str, *checks: Callable[[Any], None]) -> None:
    """Let a function of `os` check its paths first. A descriptor of a folder must not be passed."""
    function = getattr(os, name)

    def checked(path: Any, *rest: Any, **options: Any) -> Any:
        assert {options.get(each) for each in ("dir_fd", "src_dir_fd", "dst_dir_fd")} == {None}
        if name == "open" and rest and rest[0] & os.O_TMPFILE == os.O_TMPFILE:
            return function(path, *rest, **options)  # Windows has temporary files of its own
        for each in (path, *rest[: name in _TWO_PATHS]):
            for check in checks:
                check(each)
        if name == "rename" and os.path.lexists(rest[0]):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(rest[0]))
        return function(path, *rest, **options)

    setattr(os, name, checked)


def check_no_folder(path: Any) -> None:
    """Raise PermissionError for a folder, which Windows does not open."""
    if not isinstance(path, int) and Path(path).is_dir():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def not_there(*_args: Any, **_options: Any) -> None:
    """Refuse what the event loop of Windows does not have."""
    raise NotImplementedError


def become() -> None:
    """Be like Windows from now on."""
    for name in LOADED:
        with contextlib.suppress(ImportError):
            import_module(name)
    python_open = io.open

    def opened(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if mode[0] in "wxa":
            check_name(file)
        return python_open(file, mode, *rest, **options)

    builtins.open = io.open = opened
    refusing("open", check_no_folder)
    refusing("mkdir", check_name)
    for name in ("unlink", "remove"):
        refusing(name, check_closed)
    for name in ("rename", "replace"):
        refusing(name, check_name, check_closed)
    refusing("link", check_name)
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    loop = asyncio.selector_events.BaseSelectorEventLoop
    for name in ("add_reader", "remove_reader", "add_writer"):
        setattr(loop, name, not_there)
    asyncio.SelectorEventLoop.add_signal_handler = not_there  # type: ignore[assignment]
    del time.tzset
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    sys.modules["os"] = Without(os, OF_OS, name="nt", supports_dir_fd=set())
    sys.modules["signal"] = Without(signal, OF_SIGNAL)
    sys.platform = "win32"
