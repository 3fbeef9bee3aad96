"""What the programs here have in common: where they find the cluster, and how they tell what came of it."""

import os
import re
import time

BROKERS = os.environ["KAFKA_BROKERS"]
# What every name begins with, so that runs on one cluster do not meet.
NAME = os.environ["KAFKA_NAME"]
FIRST_MS = 1_700_000_000_000
DEADLINE = 30


def say(what, *results):
    """Prints a line, without the numbers that a cluster gives out."""
    line = " ".join([what, *map(str, results)])
    print(re.sub(r"127\.0\.0\.1:[0-9]+", "BROKER", line), flush=True)


def tell(what, call):
    """Says what the call gives, or the error that it ends with."""
    try:
        say(what, call())
    except Exception as error:  # pylint: disable=broad-exception-caught
        say(what, type(error).__name__, error)


def until(what, done):
    """Asks again and again until there is an answer."""
    end = time.monotonic() + DEADLINE
    while not (answer := done()):
        if time.monotonic() > end:
            raise TimeoutError(f"did not happen: {what}")
    return answer


def wait():
    """Between two questions to another thread."""
    time.sleep(0.005)
