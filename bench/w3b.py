"""W3b: how many letters per core-second through a provider's HTTP API, from a due outbox row to the row completed?

    python -m bench.w3b [--sends 40000] [--limit 40000] [--rounds 5] [--connections 64]

Product: as in W3a, but handed over by SendGrid's adapter and the product's HTTP client, one JSON request of 12 KB a
letter, to an API of our own that writes down everything it took. Limit: finished requests from memory over a raw
protocol (client only). The same letter, shoppers and checks as in W3a.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.children import child, hear, say
from bench.due_people import build
from bench.harness import Comparison, Meter, Sample, database, report, run_rounds
from bench.w3a import Plan, compile_sink, exactly, product, running_sink, show_profile, taken


def limit(plan: Plan, count: int) -> Sample:
    """Finished requests, posted."""
    arguments = ["-m", "bench.post_limit"]
    with running_sink(plan) as (port, sink_pid), child([*arguments, str(port), str(count), "32"], {}) as client:
        hear(client, b"ready")
        meter = Meter(counted=[client.pid], beside=[sink_pid])
        meter.start()
        say(client)
        hear(client, b"done")
        meter.stop()
    exactly("limit", taken(plan), {f"post-{n}@shopper.example" for n in range(count)})
    return Sample.of(count, meter)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=40_000)
    parser.add_argument("--limit", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    source = "rekindle_bench_w3b"
    with database() as bench, tempfile.TemporaryDirectory(prefix="rk-w3b-") as folder:
        plan = Plan(bench, compile_sink(Path(folder), "http_sink.c"), Path(folder), options.connections, "api")
        people = build(bench, source, options.sends, kind="sendgrid")
        rounds = run_rounds(
            {"product": lambda: product(plan, source, people), "limit": lambda: limit(plan, options.limit)},
            count=options.rounds,
        )
        show_profile(plan, source, people)
        return 0 if report("W3b", rounds, [Comparison("product", "limit", floor=0.04, aim=0.08)]) else 1


if __name__ == "__main__":
    sys.exit(main())
