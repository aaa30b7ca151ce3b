#!/usr/bin/env python3
"""How much a step suffers beside another busy process.

    beside_busy.py --bench build/release/bench/gradloom_bench [--threads 2] [--busy 1] [CASE...]

Runs each case alone and then beside so many processes that do nothing but use a core. With as many threads as cores
somebody must wait then: what shows whether the threads of a step wait for each other is the 95th percentile of its time
beside the median of an idle machine. Alone and beside alternate; the figures are those of the middle round. Run it on a
machine that is otherwise idle.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile


def step_times(bench, case, threads, steps):
    with tempfile.NamedTemporaryFile("r") as times:
        subprocess.run([bench, "--case", case, "--threads", str(threads), "--steps", str(steps), "--times", times.name],
                       stdout=subprocess.DEVNULL, check=True)
        return [float(line) for line in times]


def beside(processes, measure):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        return measure()
    finally:
        for process in busy:
            process.kill()
            process.wait()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default=os.path.join(os.path.dirname(__file__), "../build/release/bench/gradloom_bench"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", type=int, default=1, help="how many busy processes")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("cases", nargs="*", default=["mlp_mnist", "wide_dag"], metavar="CASE")
    args = parser.parse_args()
    print("case\tthreads\tidle_median_ms\tidle_p95_ms\tbusy_median_ms\tbusy_p95_ms\tbusy_p95/idle_median")
    for case in args.cases:
        rounds = []
        for _ in range(args.rounds):
            def measure():
                return step_times(args.bench, case, args.threads, args.steps)
            idle, busy = measure(), beside(args.busy, measure)
            median = statistics.median(idle)
            rounds.append((percentile(busy, 0.95) / median, median, percentile(idle, 0.95), statistics.median(busy),
                           percentile(busy, 0.95)))
        ratio, *figures = sorted(rounds)[len(rounds) // 2]
        print(case, args.threads, *(f"{ms:.3f}" for ms in figures), f"{ratio:.2f}", sep="\t", flush=True)


if __name__ == "__main__":
    main()
