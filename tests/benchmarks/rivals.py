"""Other ways to do the same work: curl alone, curl with jq, and a script such as one writes in an afternoon.

Each gets more done for it than an operator would have: the URLs are ready-made and as full as ours.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

LINE_BYTES = 8190
AT_ONCE = 16
USER, PASSWORD = "bench", "bench"
PATH = "/api/batch/outbounds/00001/records"
_KEY = "phone_number[]="
_ENCODED = "phone_number%5B%5D="
"""How requests writes it."""
_TO_ROWS = "to_entries[] | .key as $number | .value[] | [$number, .status, .record_id] | @csv"
_ONE_JQ = f"""
cd "$2"
mkdir replies && cd replies
curl --config "$1"
echo number,status,record_id > ../report.csv
find . -name '*.json' -print0 | xargs -0 jq --raw-output '{_TO_ROWS}' >> ../report.csv
"""
_JQ_A_REPLY = f"""
echo number,status,record_id > "$2/report.csv"
while read -r url; do
    curl --globoff --silent --fail --request DELETE --user {USER}:{PASSWORD} "$url" | jq --raw-output '{_TO_ROWS}'
done < "$1" >> "$2/report.csv"
"""
_SCRIPT = """
import sys
import pandas
import requests

path, url, size, report = sys.argv[1:]
rows = pandas.read_csv(path, dtype=str)
numbers = list(rows["telefon"].drop_duplicates())
session = requests.Session()
session.auth = ("bench", "bench")
verdicts = []
for start in range(0, len(numbers), int(size)):
    chunk = numbers[start : start + int(size)]
    reply = session.delete(url, params={"phone_number[]": chunk}, timeout=30)
    reply.raise_for_status()
    for number, entries in reply.json().items():
        removed = [entry["record_id"] for entry in entries if entry["status"] == "REMOVED"]
        verdicts.append({
            "telefon": number,
            "status": entries[0]["status"],
            "removed_records": len(removed),
            "record_ids": " ".join(map(str, removed)),
        })
rows.merge(pandas.DataFrame(verdicts), on="telefon", how="left").to_csv(report, index=False)
"""


def numbers_of(path: Path) -> Iterator[str]:
    """Yield the numbers of a file of one column with a heading."""
    with path.open(encoding="ascii") as file:
        yield from (line.rstrip("\n") for line in islice(file, 1, None))


def most_numbers(digits: int, key: str = _KEY) -> int:
    """Return how many numbers of so many digits fit the request line, counted without the code that is measured."""
    room = LINE_BYTES - len(f"DELETE {PATH}? HTTP/1.1")
    return (room + len("&")) // len(f"{key}{'0' * digits}&")


def fewest_requests(numbers: int, digits: int = 9) -> int:
    """Return how many requests so many numbers need at the least."""
    return -(-numbers // most_numbers(digits))


def ready_urls(numbers: Path, url: str) -> Iterator[str]:
    """Yield the URLs of the fewest requests for the numbers of a file."""
    left = numbers_of(numbers)
    while chunk := list(islice(left, most_numbers(9))):
        yield f"{url}{PATH}?{_KEY}{f'&{_KEY}'.join(chunk)}"


def config_file(path: Path, urls: Iterable[str], *, keep_replies: bool) -> Path:
    """Write a config of curl with these URLs. Replies are kept in files of the working directory, or dropped."""
    with path.open("w", encoding="ascii") as file:
        file.write(
            f"globoff\nsilent\nfail\nparallel\nparallel-max = {AT_ONCE}\nrequest = DELETE\nuser = {USER}:{PASSWORD}\n"
        )
        for index, url in enumerate(urls):
            output = f"{index:06}.json" if keep_replies else os.devnull
            file.write(f'url = "{url}"\noutput = "{output}"\n')
    return path


def curl(config: Path) -> Sequence[str | Path] | None:
    """Return the command that sends the requests and drops the replies; None where curl is not installed."""
    return ["curl", "--config", config] if shutil.which("curl") else None


def curl_and_one_jq(config: Path, folder: Path) -> Sequence[str | Path] | None:
    """Return the command that makes `report.csv` in the folder from all replies together, kept by a config."""
    return _in_shell(_ONE_JQ, config, folder)


def curl_and_jq_a_reply(urls: Path, folder: Path) -> Sequence[str | Path] | None:
    """Return the command that makes `report.csv` in the folder a request and a reply at a time, from a file of URLs."""
    return _in_shell(_JQ_A_REPLY, urls, folder)


def _in_shell(code: str, source: Path, folder: Path) -> Sequence[str | Path] | None:
    installed = all(map(shutil.which, ("sh", "curl", "jq", "xargs")))
    return ["sh", "-ec", code, "sh", source, folder] if installed else None


def script(python: Path | None, numbers: Path, url: str, folder: Path) -> Sequence[str | Path] | None:
    """Return the command that makes `report.csv` in the folder with pandas and requests; None without them."""
    if python is None:
        return None
    return [python, "-c", _SCRIPT, numbers, f"{url}{PATH}", str(most_numbers(9, _ENCODED)), folder / "report.csv"]


def script_python() -> Path | None:
    """Return an interpreter that has pandas and requests, made where this one has not; None where it cannot be made."""
    if importlib.util.find_spec("requests") is not None:
        return Path(sys.executable)
    folder = Path(tempfile.gettempdir()) / f"bulk-remove-benchmark-{os.getuid()}-rival"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        sys.stderr.write("Installing pandas and requests for the script that is compared ...\n")
        venv.create(folder, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "pandas", "requests"]
        if subprocess.run(install, check=False).returncode:
            return None
        (folder / "ready").touch()
    return python


def versions(python: Path | None) -> str:
    """Return the versions of what is compared, as one line; what is missing is said so."""
    told = [_first_line(["curl", "--version"]), _first_line(["jq", "--version"])]
    libraries = "import pandas, requests; print('pandas', pandas.__version__, 'and requests', requests.__version__)"
    told.append(_first_line([str(python), "-c", libraries]) if python else "pandas and requests not installed")
    return ", ".join(told)


def _first_line(command: Sequence[str]) -> str:
    if not shutil.which(command[0]):
        return f"{command[0]} not installed"
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split(" (")[0].strip()
