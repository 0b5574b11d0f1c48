"""Cancels the night's card orders from Airflow, on a worker with the program installed."""

import json
import os
import subprocess

import pendulum
from airflow.decorators import dag, task
from airflow.exceptions import AirflowFailException

# These exit codes are for a person to look at: the same command would end the same way again.
FOR_A_PERSON = {
    1: "some rows were rejected, failed or are invalid",
    2: "the command line, the configuration or the file was refused",
    3: "some rows are in doubt",
    4: "stopped early: some rows were not sent",
}


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
        done = subprocess.run(
            ["cardcancel", "run", f"orders-{night}.csv", "--profile", "production",
             "--config", "/etc/cardcancel/cardcancel.toml", "--yes", "--json",
             # A task that waits, or is cleared in the morning, sends nothing.
             "--start-window", "00:55-03:30[America/New_York]"],
            cwd="/var/lib/cardcancel",
            env={
                "PATH": os.environ["PATH"],
                "TZ": "America/New_York",
                "CARDCANCEL_LEDGER": "/var/lib/cardcancel/ledger.db",
                "CARDCANCEL_BEARER_TOKEN_FILE": "/etc/cardcancel/token",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode in FOR_A_PERSON:
            raise AirflowFailException(f"{FOR_A_PERSON[done.returncode]}: {done.stdout}")
        if done.returncode != 0:
            raise RuntimeError(f"cardcancel ended with {done.returncode}")
        return json.loads(done.stdout)

    cancel("{{ data_interval_end.in_timezone('America/New_York').to_date_string() }}")


cancel_card_orders()
