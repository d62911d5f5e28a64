#!/usr/bin/env python3
"""Run npm in the front-end's folder with the Node that the set-up chose.

python3 scripts/npm.py run check
"""

import os
import subprocess
import sys

import setup


def main() -> int:
    node = setup.find_node()
    npm = setup.npm_beside(node) if node else None
    if node is None or npm is None:
        print("No Node that is new enough was found; run make setup.", file=sys.stderr)
        return 1
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    if not sys.stdout.isatty():
        environ["NO_COLOR"] = "1"
    return subprocess.run([npm, *sys.argv[1:]], cwd=setup.FRONTEND, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
