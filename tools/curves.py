#!/usr/bin/env python3
"""Draws the curves that `./dev bench` measured dot by dot, one picture each, as SVG.

usage: curves.py RESULTS.jsonl FOLDER

Of each dot the newest measurement counts. A picture of which there are no dots stays as it is.
"""
import json
import math
import pathlib
import sys

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 46, 58
COLORS = ["#1b6ca8", "#c8553d", "#3a7d44", "#7a4ea3", "#b8860b", "#4a4a4a"]

# Of each picture: title, the axes, how x is spaced, and which dots stand on one line with which dash.
PICTURES = {
    "scan-by-window": {
        "title": "Cold scan: throughput by window and first-byte latency of the store",
        "x": "window: bytes asked for ahead of the reader, MiB",
        "y": "MB/s",
    },
    "hits-by-cache-size": {
        "title": "Hit ratio by cache size, alone and beside a backfill of ten times the cache",
        "x": "cache, % of the set that is read again",
        "y": "hits, %",
    },
}


def read_dots(path):
    """{picture: {series: {x: y}}}, series in the order in which they were first seen, and the machines."""
    pictures, machines = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            dot = json.loads(line) if line.strip() else {}
            if dot.get("picture") in PICTURES:
                pictures.setdefault(dot["picture"], {}).setdefault(dot["series"], {})[dot["x"]] = dot["y"]
                machines[dot["picture"]] = f"{dot['machine'].split(';')[0]}; seed {dot['seed']}"
    return pictures, machines


def nice_step(top):
    """A step of 1, 2 or 5 times a power of ten that cuts `top` into four to ten parts."""
    power = 10 ** math.floor(math.log10(top / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if top / (power * factor) <= 8)


def text(x, y, words, anchor="middle", size=12, extra=""):
    escaped = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {extra}>{escaped}</text>'


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def apart(places, distance):
    """The places moved as little as it takes to stand `distance` apart; in the order given."""
    moved = {}
    below = -math.inf
    for place, name in sorted((place, name) for name, place in places.items()):
        below = moved[name] = max(place, below + distance)
    return moved


def draw(name, series, machine):
    picture = PICTURES[name]
    xs = sorted({x for line in series.values() for x in line})
    step = nice_step(max(y for line in series.values() for y in line.values()))
    top = step * math.ceil(max(y for line in series.values() for y in line.values()) / step)
    low, high = math.log2(xs[0]), math.log2(xs[-1])

    def at_x(x):
        return LEFT + (math.log2(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def at_y(y):
        return HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" role="img">',
           f"<title>{picture['title']}</title>", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 22, picture["title"], "start", 14, 'font-weight="bold"'), text(LEFT - 8, 38, picture["y"], "end", 11)]
    for i in range(round(top / step) + 1):
        y = at_y(i * step)
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(LEFT - 8, y + 4, number(i * step), "end", 11))
    for x in xs:
        out.append(f'<line x1="{at_x(x):.1f}" y1="{HEIGHT - BOTTOM}" x2="{at_x(x):.1f}" y2="{HEIGHT - BOTTOM + 4}" stroke="#888"/>')
        out.append(text(at_x(x), HEIGHT - BOTTOM + 17, number(x), size=11))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 36, picture["x"]))
    out.append(text(LEFT, HEIGHT - 6, machine, "start", 10, 'fill="#777"'))
    labels = apart({label: at_y(line[max(line)]) for label, line in series.items()}, 15)
    for i, (label, line) in enumerate(series.items()):
        color = COLORS[i % len(COLORS)]
        dots = [(at_x(x), at_y(y)) for x, y in sorted(line.items())]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        dash = ' stroke-dasharray="6 4"' if " beside " in label else ""
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in dots]
        out.append(text(WIDTH - RIGHT + 10, labels[label] + 4, label, "start", 12, f'fill="{color}"'))
    return "\n".join([*out, "</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    pictures, machines = read_dots(sys.argv[1])
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, series in pictures.items():
        (folder / f"{name}.svg").write_text(draw(name, series, machines[name]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
