"""Cancels the night's card orders from Airflow 3, on a worker with the program installed."""

import json
import logging
import os
import subprocess
import tempfile

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

log = logging.getLogger(__name__)

# These exit codes are for a person to look at: the same command would end the same way again.
FOR_A_PERSON = {
    1: "some rows were rejected, failed or are invalid",
    2: "the command line, the configuration or the file was refused",
    3: "some rows are in doubt",
    4: "stopped early: some rows were not sent",
}


def cardcancel(*arguments: str) -> dict:
    """Runs the program, shows what it logs in the task's log, and returns its summary."""
    with tempfile.TemporaryFile("w+") as summary:
        running = subprocess.Popen(
            ["cardcancel", *arguments, "--config", "/etc/cardcancel/cardcancel.toml", "--json"],
            cwd="/var/lib/cardcancel",
            env={
                "PATH": os.environ["PATH"],
                "TZ": "America/New_York",
                "CARDCANCEL_BEARER_TOKEN_FILE": "/etc/cardcancel/token",
            },
            stdout=summary,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for line in running.stderr:
                log.info(line.rstrip())
            code = running.wait()
        finally:
            # A task that is cleared or times out stops the run; calls in flight are waited for.
            running.terminate()
            running.wait()
        summary.seek(0)
        text = summary.read()
    if code in FOR_A_PERSON:
        raise AirflowFailException(f"{FOR_A_PERSON[code]}: {text}")
    if code != 0:
        raise RuntimeError(f"cardcancel ended with {code}: {text}")
    return json.loads(text)


@dag(
    schedule="0 1 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
)
def cancel_card_orders():
    # A worker that dies, or a disk that fails, is retried, and resumes.
    @task(retries=3, retry_delay=pendulum.duration(seconds=30))
    def cancel(night: str) -> dict:
        return cardcancel(
            "run", f"orders-{night}.csv", "--profile", "production", "--yes",
            # A task that waits, or is cleared in the morning, sends nothing.
            "--start-window", "00:55-03:30[America/New_York]",
        )

    cancel("{{ data_interval_end.in_timezone('America/New_York').to_date_string() }}")


cancel_card_orders()
