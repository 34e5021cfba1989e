"""A chart of the ratios to the floor, as SVG written by hand: one panel for each work and size, a bar
for each contender, on a logarithmic scale."""

import math
from html import escape

from figures import median

WIDTH, COLUMNS, GAP, MARGIN = 1160, 3, 24, 20
BAR, STEP, LABEL, HEAD = 13, 18, 104, 46
COLOURS = {"procd": "#1a6fb5", "floor": "#7a7a7a", "floor-any": "#a8a8a8", "floor-groups": "#c8c8c8"}
PEER = "#d9a066"


def value_text(value, unit):
    return ("%.0f" if value >= 100 else "%.3g") % value + (" " + unit if unit else "")


def panels(works, contenders, results):
    """[(title, unit, [(contender, value)])]"""
    found = []
    for work in works:
        if not work.chart:
            continue
        what, unit = work.figures[work.chart]
        for size in results.sizes(work.letter):
            bars = []
            for c in contenders:
                value = median(results.of(work.letter, size, c.name, work.chart))
                if value:
                    bars.append((c.name, value))
            if bars:
                found.append(("%s. %s%s" % (work.letter, work.title, ", N = %d" % size if size else ""), what, unit,
                              bars))
    return found


def panel(x, y, width, title, what, unit, bars):
    """A panel's elements. The scale begins at half the least value and is logarithmic when values are far apart."""
    out = ['<text x="%d" y="%d" class="title">%s</text>' % (x, y + 14, escape(title)),
           '<text x="%d" y="%d" class="what">%s</text>' % (x, y + 31, escape(what))]
    least, most = min(v for _, v in bars), max(v for _, v in bars)
    logarithmic = most > 8 * least
    room = width - LABEL - 78

    def length(value):
        if logarithmic:
            return room * math.log(value / least * 2) / math.log(most / least * 2)
        return room * value / most

    if logarithmic:
        out[-1] = out[-1].replace("</text>", ", logarithmic</text>")
    for i, (name, value) in enumerate(bars):
        at = y + HEAD + i * STEP
        out += ['<text x="%d" y="%d" class="name">%s</text>' % (x + LABEL - 8, at + BAR - 3, escape(name)),
                '<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                % (x + LABEL, at, max(1.0, length(value)), BAR, COLOURS.get(name, PEER)),
                '<text x="%.1f" y="%d" class="value">%s</text>'
                % (x + LABEL + length(value) + 5, at + BAR - 3, escape(value_text(value, unit)))]
    return out


def draw(about, works, contenders, results):
    all_panels = panels(works, contenders, results)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    out, y = [], MARGIN + 40
    for at in range(0, len(all_panels), COLUMNS):
        row = all_panels[at:at + COLUMNS]
        for i, p in enumerate(row):
            out += panel(MARGIN + i * (width + GAP), y, width, *p)
        y += HEAD + STEP * max(len(bars) for *_, bars in row) + GAP
    head = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
            % (WIDTH, y, WIDTH, y),
            "<style>text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:13px}"
            ".what{fill:#666}.name{text-anchor:end}.value{fill:#444;font-size:11px}.big{font-size:17px}</style>",
            '<rect width="100%" height="100%" fill="white"/>',
            '<text x="%d" y="%d" class="big">procd, the bare floor, and other supervisors</text>'
            % (MARGIN, MARGIN + 8),
            '<text x="%d" y="%d" class="what">Medians of one run, shorter is better: %d processors, kernel %s</text>'
            % (MARGIN, MARGIN + 28, about["cpus"], escape(about["kernel"]))]
    return "\n".join(head + out + ["</svg>"]) + "\n"
