"""Every workload, one after the other: `make bench`, or `python -m bench w1 w2` for some of them.

Each is also a command of its own with options (`python -m bench.w1 --help`). Ends with 1 when any of them broke a rule,
such as a wrong number of unique recipients, or stayed below its floor.
"""

from __future__ import annotations

import subprocess
import sys

WORKLOADS = ("decisions", "w1", "w2", "w3a", "w3b", "w3c", "w4")


def main() -> int:
    """Run the named workloads, or all; returns the exit status."""
    wanted = sys.argv[1:] or list(WORKLOADS)
    unknown = [name for name in wanted if name not in WORKLOADS]
    if unknown:
        print(f"there is no workload {unknown[0]}; there are: {', '.join(WORKLOADS)}", file=sys.stderr)
        return 2
    broken = [
        name for name in wanted if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
    ]
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
