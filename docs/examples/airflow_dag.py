"""An Airflow task (3.3 or newer) that spends a night and reads its exit code. Put it into the folder of DAGs.

The worker needs `bulk-remove` on its PATH and the settings as BULK_REMOVE_... in its environment, the password, or the
file that holds it, among them, and the same inbox each night. Where the worker may be another one each night, it needs
BULK_REMOVE_STATE, the address of a PostgreSQL database; else the state folder must be the same one each night.
"""

import logging
import subprocess

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

COMMAND = ["bulk-remove", "inbox", "/srv/opt-outs", "--until", "06:00", "--yes"]

FINE = {0}
NEXT_NIGHT_GOES_ON = {3, 9}  # numbers in a call or in doubt; the deadline
TRY_AGAIN = {7, 8, 129, 130, 143}  # no server; another run; stopped, perhaps with the worker
NEEDS_A_PERSON = {1, 2, 4, 5, 6, 10}  # a bug, the settings, a file, a guard, a refusal, the disk

log = logging.getLogger(__name__)


def judge(code: int) -> None:
    """Return when the night is well, or will be; raise what makes Airflow try again, or not."""
    if code in FINE:
        return
    if code in NEXT_NIGHT_GOES_ON:
        log.warning("bulk-remove left something for the next night (exit %d)", code)
        return
    if code in TRY_AGAIN or code < 0:  # below zero: killed, for want of memory perhaps
        raise AirflowException(f"bulk-remove: exit {code}")
    raise AirflowFailException(f"bulk-remove: exit {code}; trying again would not help")


@task(retries=2, retry_delay=pendulum.duration(minutes=20))
def spend_a_night() -> None:
    """Run the command; what it prints goes to the task's log. It asks nobody and holds no number in what it prints."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in process.stdout or ():
                log.info("%s", line.rstrip())
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()  # Airflow ends the task: a safe stop, the next night goes on
    judge(process.returncode)


# No catchup: nights that were missed are not made up for by day.
@dag(
    schedule="0 1 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Warsaw"), catchup=False, max_active_runs=1
)
def bulk_remove_nights() -> None:
    """Each night the files of the inbox."""
    spend_a_night()


bulk_remove_nights()
