"""Inner loops."""

from sides import *


def inside(bench, _scale):
    """What divan measures in this process: nanoseconds and allocations of each loop, the fastest of its samples."""
    argv = ["cargo", "bench", "--quiet", "--locked", "--bench", "inner"]
    for line in output_of(argv).splitlines():
        # `├─ name   fastest │ slowest │ median │ …`, and below it what it allocated, when it did.
        if line[:2] in ("├─", "╰─"):
            name, fastest, unit = line[2:].split()[:3]
            bench.inner.append([f"`{name}`", f"{fastest} {unit}", "0"])
        elif bench.inner and line.startswith(("│", " ")) and bench.inner[-1][2] == "next":
            bench.inner[-1][2] = line.lstrip("│ ").split()[0]
        elif bench.inner and line.lstrip("│ ").startswith("alloc:"):
            bench.inner[-1][2] = "next"
