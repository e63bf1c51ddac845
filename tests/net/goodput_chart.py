# SPDX-License-Identifier: Apache-2.0
"""Draws what run_goodput.py measured: for each case the stack's goodput as a part of Linux', with the bound. SVG text."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, STEP = 860, 170, 200, 92, 44
SCALE_TO = 1.5  # of Linux; what is more is cut there, its figure is not
COLOURS = {"send": "#2f6db5", "recv": "#e08a2e"}
STYLE = """<style>
text{font-family:system-ui,sans-serif;fill:#24292f;font-size:13px}
.small{font-size:11px;fill:#57606a}.title{font-size:18px;font-weight:600}.low{fill:#c0342b;font-weight:600}
</style>"""


def x(ratio):
    return LEFT + min(ratio, SCALE_TO) / SCALE_TO * (WIDTH - LEFT - RIGHT)


def text(at_x, at_y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (at_x, at_y, kind, anchor, escape(words))


def grid(height):
    for tenth in range(0, int(SCALE_TO * 10) + 1, 5):
        at = x(tenth / 10)
        yield '<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>' % (
            at, TOP - 8, at, height - 30, "#57606a" if tenth == 10 else "#d8dee4")
        yield text(at, height - 14, "%d %%" % (tenth * 10), "small", "middle")


def bar(r, y):
    low = r["ratio"] < r["least"]
    yield '<rect x="%d" y="%.1f" width="%.1f" height="14" rx="2" fill="%s"/>' % (
        LEFT, y, x(r["ratio"]) - LEFT, COLOURS[r["verb"]])
    at = x(r["least"])
    yield '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#c0342b" stroke-dasharray="3 2"/>' % (
        at, y - 1, at, y + 15)
    yield text(WIDTH - RIGHT + 12, y + 11, "%3.0f %%" % (r["ratio"] * 100), "low" if low else "")
    yield text(WIDTH - RIGHT + 66, y + 11, "%.1f of %.1f MB/s" % (r["nstool"] / 1e6, r["linux"] / 1e6), "small")


def svg(result):
    rows = [r for r in result["bulk"] + result["bridge"] if r["ratio"] is not None]
    names = list(dict.fromkeys(name_of(r) for r in rows))
    height = TOP + STEP * len(names) + 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
        WIDTH, height, WIDTH, height), STYLE, '<rect width="100%" height="100%" fill="#ffffff"/>',
             text(20, 30, "Goodput beside Linux to Linux, by what the path does", "title"),
             text(20, 50, "CUBIC on both sides, the same bridge and seed (%d), %g s a run; dashed: the bound" % (
                 result["seed"], result["seconds"]), "small")]
    for i, (verb, label) in enumerate((("send", "the stack sends to Linux"), ("recv", "Linux sends to the stack"))):
        parts.append('<rect x="%d" y="62" width="12" height="12" rx="2" fill="%s"/>' % (20 + 200 * i, COLOURS[verb]))
        parts.append(text(38 + 200 * i, 73, label))
    parts += grid(height)
    for i, name in enumerate(names):
        y = TOP + STEP * i
        parts.append(text(LEFT - 12, y + 20, name, "", "end"))
        for j, r in enumerate(r for r in rows if name_of(r) == name):
            parts += bar(r, y + 17 * j)
    return "\n".join(parts + ["</svg>\n"])


def name_of(r):
    return r["case"].split(",")[0] if r["case"].startswith("bulk") else r["case"]
