#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What run_goodput.py measured, as JSON, a chart and a table: for each path the stack's goodput as a part of Linux'.

goodput_chart.py OUT PIECE... joins the goodput.json of several runs, made with the same seed and time, into one."""
import json
import os
import sys
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, STEP, LANE = 860, 170, 90, 112, 40, 15
SCALE_TO = 1.5  # of Linux; what is more is drawn there, the table has its figure
COLOURS = {"send": "#2f6db5", "recv": "#e08a2e"}
WAYS = [(4, "bridge"), (4, "bridge-tap"), (6, "bridge"), (6, "bridge-tap")]
STYLE = """<style>
text{font-family:system-ui,sans-serif;fill:#24292f;font-size:13px}
.small{font-size:11px;fill:#57606a}.title{font-size:18px;font-weight:600}.low{fill:#c0342b;font-weight:600}
</style>"""


def x(ratio):
    return LEFT + min(ratio, SCALE_TO) / SCALE_TO * (WIDTH - LEFT - RIGHT)


def text(at_x, at_y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (at_x, at_y, kind, anchor, escape(words))


def mark(at_x, at_y, family, link, colour):
    """A circle for IPv4, a square for IPv6; full for a veth, hollow for a tap."""
    fill = "#ffffff" if link == "bridge-tap" else colour
    paint = 'fill="%s" fill-opacity="0.8" stroke="%s" stroke-width="1.5"' % (fill, colour)
    if family == 4:
        return '<circle cx="%.1f" cy="%.1f" r="5" %s/>' % (at_x, at_y, paint)
    return '<rect x="%.1f" y="%.1f" width="9" height="9" %s/>' % (at_x - 4.5, at_y - 4.5, paint)


def legend():
    for i, (verb, label) in enumerate((("send", "the stack sends to Linux"), ("recv", "Linux sends to the stack"))):
        yield mark(26 + 200 * i, 70, 4, "bridge", COLOURS[verb])
        yield text(38 + 200 * i, 75, label)
    for i, (family, link) in enumerate(WAYS):
        yield mark(446 + 100 * i, 70, family, link, "#57606a")
        yield text(456 + 100 * i, 75, "IPv%d, %s" % (family, "tap" if link == "bridge-tap" else "veth"), "small")


def grid(height):
    for tenth in range(0, int(SCALE_TO * 10) + 1, 5):
        at = x(tenth / 10)
        yield '<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>' % (
            at, TOP - 8, at, height - 30, "#57606a" if tenth == 10 else "#d8dee4")
        yield text(at, height - 14, "%d %%" % (tenth * 10), "small", "middle")


def lane(rows, y):
    """One direction of one path: a mark for each way, and the lowest of them in figures."""
    least, lowest = rows[0]["least"], min(r["ratio"] for r in rows)
    yield '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#c0342b" stroke-dasharray="3 2"/>' % (
        x(least), y - 7, x(least), y + 7)
    for r in rows:
        yield mark(x(r["ratio"]), y, r.get("family", 4), r.get("link", "bridge"), COLOURS[r["verb"]])
    yield text(WIDTH - RIGHT + 12, y + 4, "%3.0f %%" % (lowest * 100), "low" if lowest < least else "small")


def path_of(r):
    return r.get("path") or r["case"].split(",")[0]


def svg(result):
    rows = [r for r in result["bulk"] + result["bridge"] if r["ratio"] is not None]
    names = list(dict.fromkeys(path_of(r) for r in rows))
    height = TOP + STEP * len(names) + 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
        WIDTH, height, WIDTH, height), STYLE, '<rect width="100%" height="100%" fill="#ffffff"/>',
             text(20, 30, "Goodput beside Linux to Linux, by what the path does", "title"),
             text(20, 50, "CUBIC on both sides, the same bridge and seed (%d), %g s a run; dashed: the bound; right: the lowest"
                  % (result["seed"], result["seconds"]), "small")]
    parts += list(legend()) + list(grid(height))
    for i, name in enumerate(names):
        y = TOP + STEP * i + 8
        parts.append(text(LEFT - 12, y + 11, name, "", "end"))
        for j, verb in enumerate(("send", "recv")):
            got = [r for r in rows if path_of(r) == name and r["verb"] == verb]
            parts += lane(got, y + LANE * j) if got else []
    return "\n".join(parts + ["</svg>\n"])


def table(result):
    """Markdown, as docs/NETSTACK.md has it."""
    ratios = {(path_of(r), r["verb"], r["family"], r["link"]): r["ratio"] for r in result["bridge"]}
    yield "| the path | sends: IPv4 veth | tap | IPv6 veth | tap | receives: IPv4 veth | tap | IPv6 veth | tap |"
    yield "| --- |" + " --- |" * 8
    for name in dict.fromkeys(path_of(r) for r in result["bridge"]):
        cells = [ratios.get((name, verb, *way)) for verb in ("send", "recv") for way in WAYS]
        yield "| %s | %s |" % (name, " | ".join("%.2f" % c if c else "" for c in cells))


def write(result, folder):
    os.makedirs(folder, exist_ok=True)
    for name, content in (("json", json.dumps(result, indent=1)), ("svg", svg(result)),
                          ("md", "\n".join(table(result)) + "\n")):
        with open(os.path.join(folder, "goodput." + name), "w", encoding="utf-8") as f:
            f.write(content)


def main(out, *pieces):
    """A row that a later piece has too is replaced by the later one."""
    joined = None
    for name in pieces:
        with open(name, encoding="utf-8") as f:
            piece = json.load(f)
        joined = joined or {**piece, "clean": [], "bulk": [], "bridge": []}
        for part in ("clean", "bulk", "bridge"):
            both = {(r["case"], r.get("verb")): r for r in joined[part] + piece[part]}
            joined[part] = list(both.values())
    write(joined, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
