#!/usr/bin/env python3
"""Measures what it takes to compile: a user's program of 50 lines, and on request the library.

    compile_times.py [--build build/release] [--compiler g++] [--library]

The program (model_50_lines.cpp) is compiled 9 times with -O2; the median counts. --library configures and builds the static
library in a folder of its own, without a compiler cache, and counts the processor time of all of it.
Needs the standard library only.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command):
    """Wall and processor seconds of a command and all that it starts."""
    wall, cpu = time.monotonic(), cpu_seconds()
    done = subprocess.run(command, env=os.environ | {"CCACHE_DISABLE": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"compile_times.py: {' '.join(command)} failed:\n{done.stdout.decode()}")
    return time.monotonic() - wall, cpu_seconds() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=SOURCE / "build/release", help="build folder")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--library", action="store_true", help="build the library, too")
    args = parser.parse_args()

    program = [args.compiler, "-std=c++20", "-O2", f"-I{args.build}/include", "-c", f"{SOURCE}/bench/model_50_lines.cpp",
               "-o", os.devnull]
    times = [run(program)[0] for _ in range(9)]
    print(f"a program of 50 lines: {statistics.median(times):.2f} s (from {min(times):.2f} to {max(times):.2f})")
    if not args.library:
        return
    with tempfile.TemporaryDirectory() as build:
        without = [f"-DGRADLOOM_{part}=OFF" for part in ("TESTS", "EXAMPLES", "BENCH", "PEERS")]
        run(["cmake", "-S", str(SOURCE), "--preset", "release", "-B", build, *without])
        wall, cpu = run(["cmake", "--build", build, "--target", "gradloom_static"])
        print(f"the library: {cpu / 60:.1f} minutes of processor time, {wall / 60:.1f} by the clock")


main()
