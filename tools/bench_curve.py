#!/usr/bin/env python3
"""Draws how rates scale over threads, from the newest results of `./dev bench cursor`, as one SVG picture a measure.

usage: bench_curve.py RESULTS.jsonl FOLDER

Rows named "scaling: WHAT, N threads…" become the points of WHAT; every side of a row is one line.
"""
import html
import json
import pathlib
import re
import sys

NAME = re.compile(r"^scaling: (?P<what>.+), (?P<threads>\d+) threads?")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 80, 190, 50, 50
COLOURS = ("#1f6feb", "#8b949e", "#d1602a", "#2da44e")


def newest_curves(lines):
    """{what: {side: {threads: (median, least, most)}}} and each one's unit and machine."""
    curves, facts = {}, {}
    for line in lines:
        if not line.strip():
            continue
        row = json.loads(line)
        found = NAME.match(row.get("row", ""))  # none: a dot of a picture that curves.py draws
        if not found:
            continue
        facts[found["what"]] = row["unit"], row["machine"].split(";")[0]
        for side in row["sides"]:
            name = re.sub(r"^\d+ / T_sync", "threads / T_sync", side["name"])
            curves.setdefault(found["what"], {}).setdefault(name, {})[int(found["threads"])] = (
                side["median"], side["least"], side["most"])
    return curves, facts


def nice_top(value):
    """The least of 1, 2, 5 times a power of ten that is not below `value`."""
    power = 1
    while power * 10 < value:
        power *= 10
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def short(value):
    for bound, ending in ((1e6, " M"), (1e3, " K")):
        if value >= bound:
            return f"{value / bound:g}{ending}"
    return f"{value:g}"


def picture(what, sides, unit, machine):
    threads = sorted({n for points in sides.values() for n in points})
    top = nice_top(max(most for points in sides.values() for _, _, most in points.values()))
    x = lambda n: LEFT + (n - threads[0]) / max(1, threads[-1] - threads[0]) * (WIDTH - LEFT - RIGHT)
    y = lambda value: HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           f'<text x="{LEFT}" y="20" font-size="15">{html.escape(what)}: {html.escape(unit)} by threads</text>',
           f'<text x="{LEFT}" y="36" fill="#57606a">{html.escape(machine)}; medians, bars from least to most</text>']
    for i in range(6):
        value = top * i / 5
        out.append(f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" stroke="#d0d7de"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for n in threads:
        out.append(f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{n}</text>')
    for k, (name, points) in enumerate(sides.items()):
        colour = COLOURS[k % len(COLOURS)]
        path = " ".join(f"{x(n):.1f},{y(points[n][0]):.1f}" for n in sorted(points))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for n, (median, least, most) in sorted(points.items()):
            out.append(f'<line x1="{x(n):.1f}" y1="{y(least):.1f}" x2="{x(n):.1f}" y2="{y(most):.1f}" stroke="{colour}"/>')
            out.append(f'<circle cx="{x(n):.1f}" cy="{y(median):.1f}" r="3" fill="{colour}"/>')
        row = TOP + 20 * k + 10
        out.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{row - 9}" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 32}" y="{row}">{html.escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def file_name(what):
    return "scaling-" + re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-") + ".svg"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        curves, facts = newest_curves(file)
    folder = pathlib.Path(sys.argv[2])
    for what, sides in curves.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name(what)).write_text(picture(what, sides, *facts[what]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
