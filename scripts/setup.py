#!/usr/bin/env python3
"""Set up this checkout: the Python environment, Node where it is missing, the front-end.

Run by the system's python3 (make setup, make demo and make test call it); it needs nothing but the standard library.
Running it again is cheap: what is up to date, by the hashes of the files it was made from, is left alone. Independent
steps run side by side, every step says how long it took, and a line every few seconds says what is still going on.

    python3 scripts/setup.py          what is needed to run Rekindle
    python3 scripts/setup.py --dev    and what is needed to test and change it
    python3 scripts/setup.py --bench  and the peers that the benchmarks compare with
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

MINIMUM = (3, 11)
if sys.version_info < MINIMUM:  # everything above this line is understood by much older versions
    for newer in ("python3.14", "python3.13", "python3.12", "python3.11"):
        found = shutil.which(newer)
        if found:
            os.execv(found, [found, *sys.argv])
    sys.exit(
        f"Rekindle needs Python 3.11 or newer; {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}.\n"
        "Install one (for example: apt-get install python3.11 python3.11-venv) and name it: "
        "make setup PYTHON=python3.11"
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / ".rekindle"
FRONTEND = ROOT / "frontend"
BENCH = ROOT / "bench"
DIST = ROOT / "rekindle" / "web" / "static" / "dist"
#: Tests hold requests against the providers' specifications, served by Prism; without these it is of no use.
SPECIFICATIONS = Path(os.environ.get("REKINDLE_SHARED") or ROOT.parent / "shared") / "contracts"
PRISM = ROOT / "tests" / "providers" / "prism"
HOST_PIP = (22, 3)  # the first pip that can install into another environment (--python)
HEARTBEAT_S = 5.0
LEVELS = ("base", "dev", "bench")  # each lock file holds all of those before it

#: Compiled right after the installation: without, every start pays for it again where Python may not write.
COMPILED = (
    *("asgiref", "aiosmtpd", "attr", "click", "cryptography", "django", "granian", "minijinja", "msgspec"),
    *("prometheus_client", "psycopg", "psycopg_pool", "public", "sqlparse", "uvloop", "whitenoise"),
)


class SetupError(Exception):
    """A step failed; the text says which and what to do."""


class Steps:
    """Runs programs, shows what is going on, and ends them all when one fails or the person gives up."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.lock = threading.Lock()
        self.running: dict[str, tuple[float, str, subprocess.Popen[str]]] = {}
        self.finished = threading.Event()

    def say(self, text: str) -> None:
        with self.lock:
            print(f"[{time.monotonic() - self.begun:6.1f} s] {text}", flush=True)

    def run(self, title: str, command: list[str | Path], cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
        """Run the program of one step, keeping its output in a log file of the step's own. Raises SetupError."""
        begun = time.monotonic()
        log = STAMPS / f"{title.replace(' ', '-')}.log"
        self.say(f"{title} ...")
        with log.open("w") as out:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._note(title, begun, "started", process)
            for line in process.stdout or ():
                out.write(line)
                out.flush()
                if line.strip() and not line.startswith(("WARNING", "npm warn")):
                    self._note(title, begun, line.strip(), process)
            status = process.wait()
        with self.lock:
            self.running.pop(title, None)
        if status != 0:
            raise SetupError(self._failure(title, command, status, log))
        self.say(f"{title}: done in {time.monotonic() - begun:.1f} s")

    def _note(self, title: str, begun: float, line: str, process: subprocess.Popen[str]) -> None:
        with self.lock:
            self.running[title] = (begun, line, process)
        if self.finished.is_set():  # another step failed meanwhile
            process.terminate()

    def _failure(self, title: str, command: list[str | Path], status: int, log: Path) -> str:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        words = " ".join(map(str, command))
        return f"{title} failed (status {status}): {words}\n{tail}\nThe whole output is in {log}."

    def beat(self) -> None:
        """Say every few seconds what is still running, so that silence never looks like standing still."""
        while not self.finished.wait(HEARTBEAT_S):
            now = time.monotonic()
            with self.lock:
                going = [(title, now - begun, line) for title, (begun, line, _) in self.running.items()]
            for title, seconds, line in going:
                self.say(f"    {title}, {seconds:.0f} s so far: {line[:90]}")

    def end_all(self) -> None:
        self.finished.set()
        with self.lock:
            processes = [process for _, _, process in self.running.values()]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


# --- Python ----------------------------------------------------------------------------------------------------------


def python_is_current(level: str) -> bool:
    """Does the environment hold what the lock files say, for this Python, with our own package in it?"""
    stamp = read_stamp("python")
    return (
        stamp.get("python") == python_fingerprint()
        and stamp.get(level) == digest([ROOT / "requirements" / f"{level}.lock"])
        and (VENV / "bin" / "rekindle").exists()
        and (VENV / "bin" / "python").exists()
    )


def python_fingerprint() -> str:
    return f"{sys.version.split()[0]} {digest([ROOT / 'pyproject.toml'])} {ROOT}"


def make_environment(steps: Steps) -> list[str | Path]:
    """Make `.venv` where it is missing or of another Python; returns the pip command that installs into it."""
    stamp = read_stamp("environment")
    if not (VENV / "bin" / "python").exists() or stamp.get("python") != sys.version.split()[0]:
        if (VENV / "bin" / "python").exists() and stamp:
            shutil.rmtree(VENV)  # ours, and of another Python
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)
        STAMPS.mkdir(exist_ok=True)
        write_stamp("environment", {"python": sys.version.split()[0]})
    STAMPS.mkdir(exist_ok=True)
    inside: list[str | Path] = [VENV / "bin" / "python", "-m", "pip"]
    if (VENV / "bin" / "pip").exists():
        return inside
    if host_pip_version() >= HOST_PIP:  # saves the seconds of unpacking a pip of the environment's own
        return [sys.executable, "-m", "pip", "--python", VENV / "bin" / "python"]
    try:
        steps.run("pip for the environment", [VENV / "bin" / "python", "-m", "ensurepip", "--upgrade"])
    except SetupError as failed:
        raise SetupError(
            f"{failed}\nThis Python has neither pip nor ensurepip. Install one of them "
            "(for example: apt-get install python3-pip, or python3-venv)."
        ) from None
    return inside


def host_pip_version() -> tuple[int, ...]:
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False
    ).stdout.split()
    try:
        return tuple(int(part) for part in answer[1].split(".")[:2])
    except (IndexError, ValueError):
        return (0,)


def install(pip: list[str | Path], lock: str) -> list[str | Path]:
    """The pip command that installs one lock file: exactly its hashes, never building anything."""
    options = ("--no-compile", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "off", "--no-input")
    return [*pip, "install", "--disable-pip-version-check", *options, "-r", ROOT / "requirements" / lock]


def set_up_python(steps: Steps, pip: list[str | Path], level: str) -> None:
    env = {"PIP_ROOT_USER_ACTION": "ignore"}
    steps.run("python packages", install(pip, f"{level}.lock"), env=env)
    ours = [*pip, "install", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "-e", ROOT]
    steps.run("rekindle itself", ours, env=env)
    python = VENV / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    present = [site / name for name in COMPILED if (site / name).exists()]
    skipped = r"/(gis|tests?)/"
    steps.run("byte code", [python, "-m", "compileall", "-q", "-j", "2", "-x", skipped, *present, ROOT / "rekindle"])
    held = LEVELS[: LEVELS.index(level) + 1]
    locks = {name: digest([ROOT / "requirements" / f"{name}.lock"]) for name in held}
    write_stamp("python", {"python": python_fingerprint(), **locks})


# --- front-end -------------------------------------------------------------------------------------------------------


def find_node() -> Path | None:
    """A Node that is new enough and has npm beside it or on PATH: the machine's, else the one in the environment."""
    candidates = [shutil.which("node"), str(VENV / "bin" / "node")]
    for candidate in filter(None, candidates):
        if node_version(Path(candidate)) is not None and npm_beside(Path(candidate)):
            return Path(candidate)
    return None


def node_version(node: Path) -> tuple[int, ...] | None:
    """The version, or None for one that the front-end's tools do not run on (20.19, 22.12 or newer are needed)."""
    try:
        answer = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        version = tuple(int(part) for part in answer.strip().lstrip("v").split("-")[0].split("."))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    fits = (20, 19) <= version[:2] < (21, 0) or version[:2] >= (22, 12)
    return version if fits else None


def npm_beside(node: Path) -> str | None:
    return shutil.which("npm", path=f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def frontend_files() -> list[Path]:
    """Everything the build is made from."""
    left_out = {"node_modules", "tests", "coverage"}
    files = [path for path in FRONTEND.rglob("*") if not left_out & set(path.relative_to(FRONTEND).parts[:1])]
    return sorted(path for path in files if path.is_file())


def npm_of(node: Path) -> tuple[str, dict[str, str]]:
    """npm, and the surroundings it runs in."""
    npm = npm_beside(node)
    if npm is None:
        raise SetupError(f"{node} has no npm beside it, and there is none on PATH.")
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return npm, {"PATH": path, "NO_COLOR": "1", "npm_config_update_notifier": "false"}


def install_locked(steps: Steps, node: Path, title: str, folder: Path, dev: bool) -> None:
    """What a package-lock.json says, exactly, where it is not there yet."""
    npm, env = npm_of(node)
    marker = folder / "node_modules" / ".rekindle-stamp"
    wanted = digest([folder / "package.json", folder / "package-lock.json"])
    have = marker.read_text().split() if marker.exists() else []
    if have[:1] != [wanted] or (dev and "dev" not in have):
        more = [] if dev else ["--omit=dev"]
        command: list[str | Path] = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *more]
        steps.run(title, command, cwd=folder, env=env)
        marker.write_text(f"{wanted}{' dev' if dev else ''}\n")


def set_up_frontend(steps: Steps, node: Path, dev: bool) -> None:
    install_locked(steps, node, "front-end packages", FRONTEND, dev)
    npm, env = npm_of(node)
    sources = {"sources": digest(frontend_files())}
    if read_stamp("frontend") != sources or not DIST.is_dir():
        steps.run("front-end build", [npm, "run", "--silent", "build"], cwd=FRONTEND, env=env)
        write_stamp("frontend", sources)


def set_up_peers(steps: Steps, node: Path) -> None:
    """What the benchmarks compare with on Node. Without it they say that it is absent, so its lack ends nothing."""
    try:
        install_locked(steps, node, "peers on Node", BENCH, True)
    except SetupError as fault:
        steps.say(f"the benchmarks will run without their peers on Node: {fault}")


# --- bookkeeping -----------------------------------------------------------------------------------------------------


def digest(files: list[Path]) -> str:
    """One hash over names and contents."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(path.read_bytes() if path.exists() else b"")
    return total.hexdigest()[:24]


def read_stamp(name: str) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((STAMPS / name).read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(name: str, content: dict[str, str]) -> None:
    (STAMPS / name).write_text(json.dumps(content))


def usable_node(steps: Steps) -> Path:
    """The machine's Node, else one in the environment. Raises SetupError."""
    node = find_node()
    if node is None:
        steps.run("Node (none of the machine's is new enough)", install(make_environment(steps), "node.lock"))
        node = find_node()
    if node is None:
        raise SetupError("The Node that was just installed does not run on this machine.")
    return node


def set_up(steps: Steps, level: str) -> None:
    """Do what is missing, side by side: Python, front-end, and the mocks where there is something to make them of."""
    problems: list[BaseException] = []

    def guarded(work, *arguments) -> threading.Thread:  # type: ignore[no-untyped-def]
        def body() -> None:
            try:
                work(*arguments)
            except BaseException as problem:  # handed to the main thread
                problems.append(problem)
                steps.end_all()

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        return thread

    pip = None if python_is_current(level) else make_environment(steps)
    node, dev = usable_node(steps), level != "base"
    threads = [guarded(set_up_frontend, steps, node, dev)]
    if dev and SPECIFICATIONS.is_dir():
        threads.append(guarded(install_locked, steps, node, "validating mocks", PRISM, True))
    if level == "bench":
        threads.append(guarded(set_up_peers, steps, node))
    if pip is not None:
        threads.append(guarded(set_up_python, steps, pip, level))
    for thread in threads:
        while thread.is_alive():  # a join without a limit would not let Ctrl-C through
            thread.join(0.5)
    if problems:
        raise problems[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Set up this checkout. Running it again is cheap.")
    parser.add_argument("--dev", action="store_true", help="also install what testing and changing Rekindle needs")
    parser.add_argument("--bench", action="store_true", help="also install the peers that the benchmarks compare with")
    args = parser.parse_args()
    level = "bench" if args.bench else "dev" if args.dev else "base"
    turn = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(turn, fcntl.LOCK_EX)  # two at once would spoil each other's work; the second finds it done
    steps = Steps()
    threading.Thread(target=steps.beat, daemon=True).start()
    try:
        set_up(steps, level)
    except KeyboardInterrupt:
        steps.end_all()
        print("Set-up was interrupted; run it again to go on.", file=sys.stderr)
        return 130
    except (SetupError, OSError, subprocess.CalledProcessError) as failed:
        steps.end_all()
        print(f"\n{failed}", file=sys.stderr)
        return 1
    steps.finished.set()
    steps.say("set-up is complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
