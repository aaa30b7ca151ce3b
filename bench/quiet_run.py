#!/usr/bin/env python3
"""Runs a timed command while nothing else uses the processors.

    quiet_run.py [--lock FILE] [--tries N] COMMAND...

A two-thread measurement is spoiled by any other busy process: both threads meet at a barrier, and each wait can cost a
scheduler tick. This waits for the machine to be idle, runs the command, and compares the processor time that the whole
machine spent with what the command itself used. If others took more than a few per cent it tries again, and passes on the
output of the least disturbed try. The lock file, if given, is held meanwhile, so that measurements which name the same file
never overlap. compare.py and compare_gemm.py use its functions.
"""
import argparse
import fcntl
import os
import subprocess
import sys
import time
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CPUS = len(os.sched_getaffinity(0))
DISTURBED = 0.03  # a share of the processors that others used


class Result(NamedTuple):
    foreign: float  # the share of all processors that others used meanwhile
    status: int
    output: bytes


def busy_seconds():
    """Processor time that the whole machine has spent since it started."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


def wait_for_idle(limit):
    """Returns when the machine is idle, or after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before, start = busy_seconds(), time.monotonic()
        time.sleep(0.3)
        if (busy_seconds() - before) / (time.monotonic() - start) / CPUS < 0.05:
            return


def list_of(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def clean_env(**more):
    """The environment without what would change a library's kernels behind our back."""
    unwanted = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ATEN_CPU_CAPABILITY", "PEERS_THREADS_SET"}
    return {k: v for k, v in os.environ.items() if k not in unwanted} | more


def run_once(command, env=None):
    busy, start = busy_seconds(), time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    own = usage.ru_utime + usage.ru_stime
    foreign = max(0.0, busy_seconds() - busy - own) / (wall * CPUS)
    return Result(foreign, child.returncode, output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock")
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--limit", type=float, default=0.03, help="share others may use")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if not args.command:
        parser.error("no command")
    best = None
    for attempt in range(args.tries):
        if attempt:
            time.sleep(2)
        lock = open(args.lock, "a") if args.lock else None
        try:
            if lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
            wait_for_idle(20)
            result = run_once(args.command)
        finally:
            if lock:
                lock.close()
        if best is None or result.foreign < best.foreign:
            best = result
        if best.foreign < args.limit:
            break
    if best.foreign >= args.limit:
        print(f"# others used {best.foreign:.0%} meanwhile: {' '.join(args.command)}", file=sys.stderr)
    sys.stdout.buffer.write(best.output)
    return best.status


if __name__ == "__main__":
    sys.exit(main())
