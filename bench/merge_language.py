"""Which merge language? Prints renders per core-second side by side, and what became of each attack.

Run: ``python bench/merge_language.py``. The same 9 KB cart letter with five items is written in both languages; the
candidates take turns in one process, five rounds, and the figures are ratios per round. Each attack runs in a process
of its own with 12 seconds and 1.5 GB. Record: docs/adr/0003-merge-language.md.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import liquid
import liquid.undefined
import minijinja

from rekindle.render.merge import FUEL, TemplateError, compile_template, render
from rekindle.render.plain import plain_facts

ROUNDS, RENDERS = 5, 1_500
TIME_S, MEMORY = 12, 1_500_000_000

Facts = Mapping[str, object]
Run = Callable[[str, Facts], str]

_CELL = 'style="padding:8px;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333"'
_FRAME = "<!doctype html><html><head><style>{}</style></head><body>{}</body></html>"
_CSS = "".join(f".column-{n}{{width:{n}%!important;max-width:600px}}" for n in range(60))
_FINE_PRINT = "".join(f"<p {_CELL}>Paragraph {n} of the fine print: rules, company, address.</p>" for n in range(24))

JINJA = _FRAME.format(
    _CSS.replace("{", "{ "),
    '<h1>Hi {{ first_name|default("there") }}</h1><p>{{ count|plural("en", "# item", "# items") }}</p><table>'
    "{% for item in items %}<tr><td "
    + _CELL
    + '><a href="{{ item.url }}"><img src="{{ item.image_url }}" alt="{{ item.title }}"></a></td><td '
    + _CELL
    + ">{{ item.title|truncate(60) }}{% if item.variant %} ({{ item.variant }}){% endif %} x {{ item.quantity }}</td>"
    + "<td "
    + _CELL
    + '>{{ item.cents|money(currency, "en") }}</td></tr>{% endfor %}</table>'
    '<a href="{{ recover }}">Return to your cart ({{ total|money(currency, "en") }})</a>'
    + _FINE_PRINT
    + '<a href="{{ unsubscribe }}">Unsubscribe</a>',
)
LIQUID = (
    JINJA.replace('|default("there")', ' | default: "there"')
    .replace('|plural("en", "# item", "# items")', ' | plural: "en", "# item", "# items"')
    .replace("|truncate(60)", " | truncate: 60")
    .replace('|money(currency, "en")', ' | money: currency, "en"')
)

FACTS: Facts = {
    "first_name": "",
    "count": 7,
    "currency": "EUR",
    "total": 12_345,
    "recover": "https://go.shop.example/r/1-7Hq2",
    "unsubscribe": "https://go.shop.example/u/1-9Zk4",
    "items": [
        {
            "title": f"Trail jacket no. {n} & <hood>",
            "variant": "" if n == 2 else "Green, M",
            "quantity": n + 1,
            "cents": 1_999 * (n + 1),
            "url": f"https://go.shop.example/r/1-item{n}",
            "image_url": f"https://shop.example/images/{n}.jpg",
        }
        for n in range(5)
    ],
}


def liquid_environment() -> liquid.Environment:
    class Limited(liquid.Environment):
        loop_iteration_limit = 10_000
        output_stream_limit = 256 * 1024
        local_namespace_limit = 100_000
        context_depth_limit = 20

    from rekindle.render.merge_filters import money, plural

    environment = Limited(autoescape=True, undefined=liquid.undefined.FalsyStrictUndefined)
    environment.add_filter("money", money)
    environment.add_filter("plural", plural)
    return environment


def run_ours(source: str, facts: Facts) -> str:
    return render(compile_template(source, kind="html"), plain_facts(facts))


def run_minijinja(source: str, facts: Facts) -> str:
    environment = minijinja.Environment(fuel=FUEL, undefined_behavior="strict", debug=False)
    return environment.render_str(source, "a.html", **facts)


def run_liquid(source: str, facts: Facts) -> str:
    return liquid_environment().from_string(source).render(**facts)


CANDIDATES: dict[str, Run] = {"ours": run_ours, "minijinja": run_minijinja, "liquid": run_liquid}


class Thing:
    """What must never be reachable: an object with a method that does something."""

    called = False

    def delete(self) -> str:
        Thing.called = True
        return "deleted"


#: name -> (in Jinja's syntax, in Liquid's syntax, facts)
ATTACKS: dict[str, tuple[str, str, Callable[[], Facts]]] = {
    "nested loops 10^4 x 10^4": (
        "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
        "{% for a in (1..10000) %}{% for b in (1..10000) %}x{% endfor %}{% endfor %}",
        dict,
    ),
    "triple loop over a list of 400": (
        "{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}",
        lambda: {"l": list(range(400))},
    ),
    '"a" * 10^9': ("{{ 'a' * 1000000000 }}", "{{ 'a' | times: 1000000000 }}", dict),
    "doubling by assignment, 2^30": (
        "{% set s = 'aaaaaaaa' %}" + "{% set s = s ~ s %}" * 27 + "{{ s }}",
        "{% assign s = 'aaaaaaaa' %}" + "{% assign s = s | append: s %}" * 27 + "{{ s }}",
        dict,
    ),
    "big output, 400 x 19 KB": ("{% for a in l %}{{ t }}{% endfor %}",) * 2
    + (lambda: {"l": [0] * 400, "t": "y" * 19_000},),
    "method of a passed object": ("{{ o.delete() }}", "{{ o.delete }}", lambda: {"o": Thing()}),
    "mutation of a passed dict": ("{{ d.clear() }}", "{{ d.clear }}", lambda: {"d": {"k": 1}}),
    "dunder attributes": ("{{ d.__class__ }}", "{{ d.__class__ }}", lambda: {"d": {"k": 1}}),
    "missing variable": ("[{{ nope }}]", "[{{ nope }}]", dict),
    "missing variable in a filter": ("[{{ nope|upper }}]", "[{{ nope | upcase }}]", dict),
    "missing, with default": ("[{{ nope.a|default('x') }}]", "[{{ nope.a | default: 'x' }}]", dict),
    "missing, in a condition": ("[{% if nope.a %}y{% endif %}]", "[{% if nope.a %}y{% endif %}]", dict),
    "empty string in a condition": ("[{% if v %}true{% else %}false{% endif %}]",) * 2 + (lambda: {"v": ""},),
    "value in an error text": (
        "{{ secret|money(secret) }}",
        "{{ secret | money: secret }}",
        lambda: {"secret": "ada@example.com"},
    ),
    "HTML in a value": ("{{ v }}", "{{ v }}", lambda: {"v": "<a href='https://x.example/'>"}),
}


def attack(candidate: str, name: str) -> str:
    """Runs in a child process: what happens to one attack."""
    jinja, in_liquid, make = ATTACKS[name]
    facts = make()
    thing, group = facts.get("o"), facts.get("d")
    try:
        out = CANDIDATES[candidate](in_liquid if candidate == "liquid" else jinja, facts)
    except MemoryError:
        return "MEMORY EXHAUSTED"
    except Exception as fault:
        text = str(fault)
        if thing is not None and Thing.called:
            return "METHOD CALLED"
        leak = " AND PRINTS THE VALUE" if "ada@" in text else ""
        kind = "refused at compile" if isinstance(fault, TemplateError) and _refused_early(jinja) else "refused"
        return kind + leak
    if Thing.called:
        return "METHOD CALLED"
    if isinstance(group, dict) and not group:
        return "DICT EMPTIED"
    return f"prints {out!r}" if len(out) < 90 else f"prints {len(out) / 1e6:.1f} MB"


def _refused_early(source: str) -> bool:
    try:
        compile_template(source, kind="html")
    except TemplateError:
        return True
    return False


def attack_in_child(candidate: str, name: str) -> str:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [sys.executable, __file__, "--attack", candidate, name]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_S, preexec_fn=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"HANGS (> {TIME_S} s)"
    if done.returncode != 0:
        return f"PROCESS DIES (exit {done.returncode})"
    seconds = time.monotonic() - began
    return json.loads(done.stdout) + (f", {seconds:.1f} s" if seconds > 3 else "")


def per_core_second(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(RENDERS):
        work()
    return RENDERS / (time.process_time() - began)


def speed() -> None:
    compiled = compile_template(JINJA, kind="html")
    template = liquid_environment().from_string(LIQUID)
    ready = plain_facts(FACTS)
    ours_text, liquid_text = render(compiled, ready), template.render(**FACTS)
    differs = [a for a, b in zip(ours_text.split("<td"), liquid_text.split("<td"), strict=True) if a != b]
    rows: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        ours = per_core_second(lambda: render(compiled, plain_facts(FACTS)))  # the check of the facts is counted
        rows.append((ours, per_core_second(lambda: template.render(**FACTS))))
    ratios = [ours / other for ours, other in rows]
    print(f"letter: {len(ours_text)} bytes; cells that differ: {len(differs)} (an empty variant is true in Liquid)")
    for name, values in (
        ("ours (minijinja + fuel + grammar)", [r[0] for r in rows]),
        ("python-liquid + limits", [r[1] for r in rows]),
    ):
        print(
            f"  {name:36s}{statistics.median(values):10,.0f} renders/core-s  ({min(values):,.0f} to {max(values):,.0f})"
        )
    print(f"  ratio per round: min {min(ratios):.1f}  median {statistics.median(ratios):.1f}  max {max(ratios):.1f}")
    began = time.process_time()
    for _ in range(200):
        compile_template(JINJA, kind="html")
    ours_ms = (time.process_time() - began) * 5
    began = time.process_time()
    for _ in range(200):
        liquid_environment().from_string(LIQUID)
    print(f"  compile: ours {ours_ms:.2f} ms, python-liquid {(time.process_time() - began) * 5:.2f} ms\n")


def main() -> None:
    if sys.argv[1:2] == ["--attack"]:
        print(json.dumps(attack(sys.argv[2], sys.argv[3])))
        return
    print(f"python {sys.version.split()[0]}, minijinja and python-liquid as locked, fuel {FUEL:,}\n")
    speed()
    print(f"{'attack':32s}" + "".join(f"{name:42s}" for name in ("ours", "minijinja + fuel, alone", "liquid + limits")))
    for name in ATTACKS:
        print(
            f"{name:32s}" + "".join(f"{attack_in_child(candidate, name):42s}" for candidate in CANDIDATES), flush=True
        )


if __name__ == "__main__":
    main()
