"""What starts, and ends at once."""

from sides import *


def start(bench, _scale):
    rounds, goal = bench.rounds * 12, "wall ≤ 5 ms, ≤ 1.0×"
    kcat = Side("kcat -V", ["kcat", "-V"])
    grpcurl = Side("grpcurl -version", [GRPCURL, "-version"])
    for argv in (["--version"], ["--help"], ["completions", "bash"]):
        ours = Side("mscomm", [MSCOMM, *argv])
        bench.compare(" ".join(["mscomm", *argv]), goal, ours, kcat, rounds)
    bench.compare("mscomm --version", goal, Side("mscomm", [MSCOMM, "--version"]), grpcurl, rounds)
