#!/usr/bin/env python3
"""Writes the newest results of `./dev bench` as tables into the benchmark page, and those with a goal into the README.

usage: bench_report.py RESULTS.jsonl PAGE.md README.md

What stands between the markers of a page is replaced; the prose around it, misses and their causes, is written by people
and kept.
"""
import json
import sys

PAGE_MARKERS = "<!-- results: written by ./dev bench --publish -->", "<!-- end of results -->"
README_MARKERS = "<!-- figures: written by ./dev bench --publish -->", "<!-- end of figures -->"


def newest_rows(lines):
    """The last result of each row, in the order in which rows were first seen."""
    rows = {}
    for line in lines:
        if line.strip():
            row = json.loads(line)
            if "picture" not in row:  # a dot of a curve, for curves.py
                rows[row["row"]] = row
    return list(rows.values())


def figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def note_text(side):
    return f" ({side['note']})" if side.get("note") else ""


def side_text(side):
    return f"{side['name']}: {figure(side['median'])} ({figure(side['least'])} to {figure(side['most'])}){note_text(side)}"


def goal_text(row, goal):
    against = f" × {goal['against']}" if goal["against"] else f" {row['unit']}"
    sign = {">=": "≥", "<=": "≤"}[goal["sign"]]
    return f"{sign} {goal['bound']:g}{against}: **{figure(goal['value'])}**, {'met' if goal['met'] else '**missed**'}"


def table(rows):
    out = ["| what | unit | ours, median (range) | beside it | goal: reached |", "|---|---|---|---|---|"]
    for row in rows:
        ours, *others = row["sides"]
        beside = "<br>".join(f"{side_text(s)}, ratio {s['ratio']:.2f} ({s['ratio_least']:.2f} to {s['ratio_most']:.2f})" for s in others)
        goals = "<br>".join(goal_text(row, goal) for goal in row["goals"])
        out.append(f"| {row['row']} | {row['unit']} | {figure(ours['median'])} ({figure(ours['least'])} to "
                   f"{figure(ours['most'])}){note_text(ours)} | {beside or '-'} | {goals or '-'} |")
    return out


def report(rows):
    """The text between the markers."""
    out = []
    for machine in dict.fromkeys(row["machine"] for row in rows):
        out += [f"Machine: {machine}.", ""]
    limits = [row for row in rows if row["program"] == "limits"]
    ours = [row for row in rows if row["program"] != "limits"]
    for title, part in (("Results", ours), ("Limits of the machine", limits)):
        if part:
            out += [f"## {title}", "", *table(part), ""]
    out += ["## Workloads", "", "| what | command | workload | seed, rounds |", "|---|---|---|---|"]
    for row in rows:
        out.append(f"| {row['row']} | `./dev bench {row['program']} --only '{row['row']}'` | {row['workload']} | {row['seed']}, {row['rounds']} |")
    return "\n".join(out) + "\n"


def digest(rows):
    """The rows that have a goal, in a few words each."""
    out = ["| what | ours | goal: reached |", "|---|---|---|"]
    for row in rows:
        if row["goals"]:
            goals = "<br>".join(goal_text(row, goal) for goal in row["goals"])
            out.append(f"| {row['row']} | {figure(row['sides'][0]['median'])} {row['unit']} | {goals} |")
    return "\n".join([*out, "", f"On {rows[-1]['machine'].split(';')[0]}, by `./dev bench`."]) + "\n"


def replace_between(markers, page, text):
    begin, end = page.index(markers[0]), page.index(markers[1])
    return page[: begin + len(markers[0])] + "\n" + text + page[end:]


def rewrite(path, markers, text):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(replace_between(markers, page, text))


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = newest_rows(file)
    rewrite(sys.argv[2], PAGE_MARKERS, report(rows))
    rewrite(sys.argv[3], README_MARKERS, digest(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
