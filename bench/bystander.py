"""Gives small commands in an organization of its own until its input closes; prints the longest that one took."""

import select
import sys
import time

import django


def main() -> None:
    django.setup()
    from bench.people import founder
    from portico.domain import workspaces

    actor = founder()
    print("ready", flush=True)
    longest, number = 0.0, 0
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        number += 1
        begin = time.perf_counter()
        workspaces.create(actor, name=f"Place {number}")
        longest = max(longest, time.perf_counter() - begin)
    print(longest, flush=True)


main()
