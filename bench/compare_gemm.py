#!/usr/bin/env python3
"""Measures the f32 matrix product beside OpenBLAS, BLIS and oneDNN, and prints tables in Markdown.

    compare_gemm.py [--threads 1,2] [--seconds 0.03] [--rounds 3] [CASE...] > TABLE.md

compare.py makes the same tables for cases with such names. All go through gemm_suite, Gradloom as the library
cblas_gradloom. Within a batch of cases the libraries take turns, a process each, for --rounds rounds, so that a ratio comes
from figures that are seconds apart; of the rounds' medians the middle one counts. A "!" after a ratio says that other
processes used more than 3 % of the processors meanwhile. Needs the standard library only.
"""
import argparse
import math
import statistics
import sys
from pathlib import Path

from quiet_run import DISTURBED, clean_env, list_of, run_once

PEERS = ["openblas", "blis", "dnnl"]
BATCH = 12  # a few seconds: the speed of a virtual machine drifts


def measure(suite, library, cases, threads, seconds):
    """GFLOP/s by case, and the share of the processors that others used."""
    command = [str(suite), "--lib", str(library), "--threads", str(threads), "--seconds", str(seconds)]
    result = run_once(command + ["--case", ",".join(cases)], clean_env())
    if result.status != 0:
        sys.exit(f"compare_gemm.py: status {result.status} from {' '.join(command)}")
    rows = [line.split("\t") for line in result.output.decode().splitlines()]
    return {row[0]: float(row[3]) for row in rows}, result.foreign


def measure_batch(suite, libraries, cases, threads, args):
    """The GFLOP/s of every library for each case, and whether others disturbed the batch."""
    figures = {name: {case: [] for case in cases} for name in libraries}
    disturbed = False
    for _ in range(args.rounds):
        for name, library in libraries.items():
            rates, foreign = measure(suite, library, cases, threads, args.seconds)
            disturbed |= foreign > DISTURBED
            for case in cases:
                figures[name][case].append(rates[case])
    return [[statistics.median(figures[name][case]) for name in libraries] for case in cases], disturbed


def rate_text(rate):
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.3g}"


def suite_of(build):
    return build / "bench" / "peers" / "gemm_suite"


def tables(build, cases, peers, thread_counts, args):
    """The lines of a table for each number of threads, as they are measured."""
    suite = suite_of(build)
    libraries = {"gradloom": build.resolve() / "bench" / "libcblas_gradloom.so"} | {name: name for name in peers}
    for threads in thread_counts:
        yield f"## {threads} thread{'s' if threads > 1 else ''}: GFLOP/s\n"
        yield "| m x n x k | " + " | ".join(libraries) + " |" + (" best peer | ratio |" if peers else "")
        yield "|---|" + "---:|" * len(libraries) + ("---|---:|" if peers else "")
        ratios = []
        for begin in range(0, len(cases), BATCH):
            batch = cases[begin:begin + BATCH]
            rows, disturbed = measure_batch(suite, libraries, batch, threads, args)
            for case, (own, *others) in zip(batch, rows):
                cells = [case] + [rate_text(rate) for rate in [own] + others]
                if others:
                    best = max(others)
                    ratios.append(own / best)
                    cells += [peers[others.index(best)], f"{ratios[-1]:.2f}" + (" !" if disturbed else "")]
                yield "| " + " | ".join(cells) + " |"
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            yield f"\nGeometric mean of the ratios {mean:.3f}, least {min(ratios):.2f}, {len(ratios)} cases.\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="build folder")
    parser.add_argument("--threads", default="1,2", help="thread counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.03, help="for each case and library (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each batch (default: %(default)s)")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names, or MxNxK_nt (default: gemm_suite --list)")
    args = parser.parse_args()

    cases = args.cases or list_of([str(suite_of(args.build)), "--list"])
    for line in tables(args.build, cases, PEERS, map(int, args.threads.split(",")), args):
        print(line, flush=True)


if __name__ == "__main__":
    main()
