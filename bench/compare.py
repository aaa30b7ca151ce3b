#!/usr/bin/env python3
"""Measures the cases of gradloom_bench, and on request the installed peers beside it.

    compare.py [--peers] [--threads 1,2] [--rounds 3] [--markdown FILE] [CASE...]

Cases that are matrix products (gemm_nn_512, dense784x512_fwd_nt, gemv_..., 33x129x65_tn) go through gemm_suite, beside BLAS
libraries, and have tables of their own. Without names all of gradloom_bench's cases are measured, and with --peers those of
gemm_suite.

Every program runs each case in a process of its own, the programs take turns, and this goes on for --rounds rounds; of the
rounds' medians the middle one counts. The last column says how many times as fast as the fastest peer Gradloom is. A "!" after
a figure says that other processes used more than 3 % of the processors in that measurement: run it again on an idle machine.
First losses that differ between programs are reported: then they do not compute the same.
Needs the standard library only.
"""
import argparse
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import compare_gemm
from quiet_run import CPUS, DISTURBED, clean_env, list_of, run_once, wait_for_idle

OPENBLAS_OPENMP = f"/usr/lib/{platform.machine()}-linux-gnu/openblas-openmp"
PRODUCT = re.compile(r"(gemm_|gemv_|dense\d+x\d+_|\d+x\d+x\d+_[nt]{2}$)")
COLUMNS = "case threads median_ms min_ms peak_rss_mb loss_first loss_last steps rate rate_unit base_rss_mb".split()


class Program(NamedTuple):
    """One competitor: a program in one configuration."""
    name: str
    command: list
    env: dict
    cases: frozenset


class Figure(NamedTuple):
    """What a program needs for a case: the middle of the rounds' medians, and whether others disturbed it."""
    ms: float
    peak_mb: float
    loss_first: float
    rate: str
    disturbed: bool


# ------------------------------------------------------------------------------------------------- the competitors

def gradloom(build, options):
    program = build / "bench" / "gradloom_bench"
    if not program.exists():
        sys.exit(f"compare.py: {program} is missing; ./dev build makes it")
    return Program("gradloom", [str(program)] + options, clean_env(), frozenset(list_of([str(program), "--list"])))


def peers(build, configurations, bf16=False):
    """The configurations are explained in bench/peers/README.md."""
    found = []
    suite = build / "bench" / "peers" / "libtorch_suite"
    if suite.exists():
        cases = frozenset(list_of([str(suite), "--list"]))
        convolutions = frozenset(c for c in cases if c.startswith(("lenet", "resnet20", "conv_")) or c == "fashion_cnn")
        if not Path(OPENBLAS_OPENMP).is_dir():
            print(f"# {OPENBLAS_OPENMP} is missing: install libopenblas0-openmp, or libtorch is slower than it could be",
                  file=sys.stderr)
        tuned = {"LD_LIBRARY_PATH": OPENBLAS_OPENMP}
        plain = [str(suite)] + (["--autocast", "bf16"] if bf16 else [])
        keep = plain + ["--malloc", "keep"]
        known = {
            "default": Program("libtorch default", plain, clean_env(), cases),
            "tuned": Program("libtorch tuned", keep, clean_env(**tuned), cases),
            "nhwc": Program("libtorch nhwc", keep + ["--layout", "nhwc"], clean_env(**tuned), convolutions),
            "avx512": Program("libtorch avx512", keep, clean_env(**tuned, ATEN_CPU_CAPABILITY="avx512"), cases),
        }
        unknown = set(configurations) - known.keys()
        if unknown:
            sys.exit(f"compare.py: no configuration {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        found += [known[c] for c in configurations]
    suite = build / "bench" / "peers" / "dlib_suite"
    if suite.exists():
        found.append(Program("dlib", [str(suite)], clean_env(), frozenset({"mlp_mnist", "lenet"})))
    if not found:
        sys.exit("compare.py: no peer is built; ./dev bench --peers installs and builds them")
    return found


# -------------------------------------------------------------------------------------------------------- measuring

def measure_once(program, case, threads, patience):
    """One process; its row as a dictionary, and the share of the processors that others used."""
    wait_for_idle(patience)
    command = program.command + ["--case", case, "--threads", str(threads)]
    result = run_once(command, program.env)
    rows = [line for line in result.output.decode().splitlines() if line and not line.startswith("#")]
    if result.status != 0 or not rows:
        sys.exit(f"compare.py: status {result.status} from {' '.join(command)}")
    return dict(zip(COLUMNS, rows[-1].split("\t"))), result.foreign


def measure(programs, case, threads, args):
    """The figure of each program for one case, by name; the programs take turns."""
    runs = {p.name: [] for p in programs}
    for _ in range(args.rounds):
        for p in programs:
            runs[p.name].append(measure_once(p, case, threads, args.patience))
    figures = {}
    for name, results in runs.items():
        results.sort(key=lambda result: float(result[0]["median_ms"]))
        row, foreign = results[(len(results) - 1) // 2]
        rate = "" if row["rate_unit"] == "-" else f"{float(row['rate']):.4g} {row['rate_unit']}"
        figures[name] = Figure(float(row["median_ms"]), float(row["peak_rss_mb"]), float(row["loss_first"]), rate,
                               foreign > DISTURBED)
    return figures


# -------------------------------------------------------------------------------------------------------- the table

def time_text(figure):
    return f"{figure.ms:.4g}" + (" !" if figure.disturbed else "")


def table_row(case, threads, figures):
    own = figures.pop("gradloom", None)
    row = [case, str(threads)]
    row += [time_text(own), own.rate, f"{own.peak_mb:.0f}"] if own else ["", "", ""]
    if not figures:
        return row + ["", "", "", ""]
    name, best = min(figures.items(), key=lambda item: item[1].ms)
    ratio = f"{best.ms / own.ms:.2f}" if own else ""
    if own and own.peak_mb > best.peak_mb / 2:
        print(f"# {case}: Gradloom took more than half of the memory of {name}", file=sys.stderr)
    return row + [time_text(best), name, f"{best.peak_mb:.0f}", ratio]


def lines_of(command):
    """What a command prints; nothing if there is no such command."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
    except FileNotFoundError:
        return []


def conditions(build, options):
    """The machine, the versions and the flags that a table was measured with."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    cache = (build / "CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M).group(1)
    flags = re.search(r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$", cache, re.M).group(1)
    lines = [f"{CPUS} processors ({cpu.group(1) if cpu else platform.machine()}), Linux {platform.release()}",
             f"{lines_of([compiler, '--version'])[0]}, {flags}"]
    if commit := lines_of(["git", "describe", "--always", "--dirty"]):
        lines.append(f"Gradloom {commit[0]}" + "".join(f" {option}" for option in options))
    packages = ["libtbb12", "libtorch1.13", "libopenblas0-openmp", "libblis4-openmp", "libdnnl2", "libdlib19.1"]
    versions = lines_of(["dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"] + packages)
    lines.append(", ".join(version for version in versions if not version.endswith(" ")))
    return "".join(f"- {line}\n" for line in lines if line) + "\n"


HEAD = ["case", "threads", "Gradloom ms", "rate", "MB", "best peer ms", "which", "MB", "ratio"]


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in [HEAD] + rows]
    lines.insert(1, "|---|" + "---:|" * 2 + "---|---:|---:|---|---:|---:|")
    return "\n".join(lines) + "\n"


def check_losses(case, figures, tolerance):
    """All start from the same numbers (but dlib, which draws its own), so their first losses must agree."""
    first = {name: f.loss_first for name, f in figures.items() if name != "dlib"}
    low, high = min(first.values(), default=0), max(first.values(), default=0)
    if high - low > tolerance * max(abs(low), abs(high)):
        print(f"# {case}: the first losses differ: {first}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="build folder")
    parser.add_argument("--peers", action="store_true", help="measure the installed peers too")
    parser.add_argument("--only-peers", action="store_true", help="measure nothing but the peers")
    parser.add_argument("--configurations", default="tuned,nhwc,avx512", help="of libtorch (default: %(default)s)")
    parser.add_argument("--threads", default="1,2", help="thread counts (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=10, metavar="S",
                        help="seconds to wait for an idle machine before each run (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.03,
                        help="for each product and library (default: %(default)s)")
    parser.add_argument("--exact", action="store_true", help="Gradloom without fast convolutions")
    parser.add_argument("--bf16", action="store_true", help="Gradloom with storage as bf16, libtorch with autocast")
    parser.add_argument("--isa", choices=["baseline", "avx2", "avx512"], help="Gradloom's instruction set")
    parser.add_argument("--markdown", type=Path, metavar="FILE",
                        help="write machine, versions and the tables there too")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    args = parser.parse_args()

    options = [f"--{name}" for name in ("exact", "bf16") if getattr(args, name)]
    options += ["--isa", args.isa] if args.isa else []
    programs = [] if args.only_peers else [gradloom(args.build, options)]
    if args.peers or args.only_peers:
        programs += peers(args.build, args.configurations.split(","), args.bf16)
    known = frozenset.union(*(p.cases for p in programs)) if args.only_peers else programs[0].cases
    products = [c for c in args.cases if PRODUCT.match(c) and c not in known]
    cases = [c for c in args.cases if c not in products]
    unknown = [c for c in cases if c not in known]
    if unknown:
        sys.exit(f"compare.py: no case {', '.join(unknown)}; there are {', '.join(sorted(known))}, and products")
    suite = compare_gemm.suite_of(args.build)
    if products and not suite.exists():
        sys.exit(f"compare.py: {suite} is missing; ./dev bench --peers builds it")
    if not args.cases:
        cases = sorted(known)
        products = list_of([str(suite), "--list"]) if args.peers and suite.exists() else []

    rows = []
    if cases:
        print("\t".join(HEAD), flush=True)
    for case in cases:
        able = [p for p in programs if case in p.cases]
        for threads in map(int, args.threads.split(",")):
            figures = measure(able, case, threads, args)
            check_losses(case, figures, 1e-2 if args.bf16 else 1e-4)
            rows.append(table_row(case, threads, figures))
            print("\t".join(rows[-1]), flush=True)
    text = conditions(args.build, options) + (markdown(rows) if rows else "")
    if products:
        blas = compare_gemm.PEERS if args.peers or args.only_peers else []
        text += "\n"
        for line in compare_gemm.tables(args.build, products, blas, map(int, args.threads.split(",")), args):
            print(line, flush=True)
            text += line + "\n"
    if args.markdown:
        args.markdown.write_text(text)


if __name__ == "__main__":
    main()
