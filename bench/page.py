# SPDX-License-Identifier: Apache-2.0
"""The benchmark's page: one self-contained HTML file. A row of bars for each operation, on a logarithmic scale relative
to native, so that microseconds and seconds share a page and the eye compares lengths."""
import html
import math

COLOURS = {"native": "#8a8f98", "seccomp": "#0b7a75", "ptrace": "#7fb7b2", "runsc": "#d1495b", "bwrap": "#c9a227"}
WIDTH, LABEL, BAR, GAP = 900, 200, 16, 26

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1d2430;background:#fbfaf7;max-width:960px;margin:3em auto;padding:0 1.5em}
h1{font-size:1.7em;margin-bottom:.1em} .lead{color:#58606c;max-width:44em}
.key span{display:inline-block;margin-right:1.6em} .key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px}
table{border-collapse:collapse;width:100%;margin-top:2em;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3em .6em;border-bottom:1px solid #e6e3dc} th:first-child,td:first-child{text-align:left}
.met{color:#0b7a75;font-weight:600} .missed{color:#b3261e;font-weight:600} text{font:13px system-ui,sans-serif;fill:#1d2430}
"""


def human(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return "%.3g %s" % (ns / size, unit)
    return "%.3g ns" % ns


def bars(result):
    systems = [s for s, _ in result["systems"] if s != "native"]
    rows = [(k, r) for k, r in result["rows"].items() if "native" in r]
    top = max((r[s]["median"] / r["native"]["median"] for _, r in rows for s in systems if s in r), default=10)
    span = math.log10(max(top, 10)) * 1.02
    height = len(rows) * (len(systems) * BAR + GAP) + 40
    x = lambda ratio: LABEL + max(0.0, math.log10(max(ratio, 1))) / span * (WIDTH - LABEL - 130)
    out = ['<svg viewBox="0 0 %d %d" role="img" aria-label="time relative to native">' % (WIDTH, height)]
    for power in range(0, int(span) + 1):
        at = x(10 ** power)
        out.append('<line x1="%.1f" x2="%.1f" y1="22" y2="%d" stroke="#e6e3dc"/><text x="%.1f" y="14" text-anchor="middle">%sx</text>'
                   % (at, at, height, at, "{:,}".format(10 ** power)))
    y = 30
    for key, row in rows:
        out.append('<text x="%d" y="%d" text-anchor="end" font-weight="600">%s</text>'
                   % (LABEL - 12, y + len(systems) * BAR / 2 - 3, html.escape(result["titles"][key])))
        out.append('<text x="%d" y="%d" text-anchor="end" style="fill:#58606c">native %s</text>'
                   % (LABEL - 12, y + len(systems) * BAR / 2 + 13, human(row["native"]["median"])))
        for system in systems:
            if system in row:
                value = row[system]["median"]
                ratio = value / row["native"]["median"]
                out.append('<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/><text x="%.1f" y="%d">%s &#183; %.3gx</text>'
                           % (LABEL, y, max(2, x(ratio) - LABEL), BAR - 3, COLOURS[system], max(LABEL + 2, x(ratio)) + 6,
                              y + BAR - 5, human(value), ratio))
            y += BAR
        y += GAP
    return "\n".join(out + ["</svg>"])


def rows_table(result):
    out = ["<table><tr><th>operation</th>" + "".join("<th>%s</th>" % html.escape(t) for _, t in result["systems"]) +
           "<th>Picket is faster than gVisor by</th><th>goal</th></tr>"]
    for key, row in result["rows"].items():
        cells = "".join("<td>%s</td>" % (human(row[s]["median"]) if s in row else "&ndash;") for s, _ in result["systems"])
        ratio, limit = result["ratios"]["runsc"].get(key), result["limits"].get(key)
        factor = "%.1fx" % (1 / ratio) if ratio else "&ndash;"
        goal = ""
        if ratio and limit:
            goal = '<span class="%s">%.3gx %s</span>' % (("met", 1 / limit, "met") if ratio <= limit else ("missed", 1 / limit, "missed"))
        out.append("<tr><td>%s</td>%s<td>%s</td><td>%s</td></tr>" % (html.escape(result["titles"][key]), cells, factor, goal))
    return "\n".join(out + ["</table>"])


def render(result):
    key = "".join('<span><i style="background:%s"></i>%s</span>' % (COLOURS[s], html.escape(t)) for s, t in result["systems"])
    rest = ", ".join("%s %.2f %%" % (html.escape(dict(map(tuple, result["systems"]))[s]), v)
                     for s, v in result["rest_cpu_percent"].items())
    return """<!doctype html><html lang="en"><meta charset="utf-8"><title>Picket: measured</title><style>%s</style>
<h1>What a system call costs</h1>
<p class="lead">Time of each operation relative to the same program run natively, on a logarithmic scale: shorter is better.
All systems were measured in turn within one run; medians. %s.</p><p class="key">%s</p>%s%s
<p class="lead">CPU used while the guest sleeps: %s.</p></html>
""" % (STYLE, html.escape("%(processor)s, %(cpus)d CPUs, Linux %(kernel)s, %(date)s" % result["machine"]), key, bars(result), rows_table(result), rest)
