"""Results as text, JSON, Markdown and a chart."""

import json
import os

import chart
from figures import median, p99


def number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return "%.0f" % value
    return "%.3g" % value


def columns(work):
    """[(figure, how, heading)]"""
    found = []
    for figure, (what, unit) in work.figures.items():
        heading = what + (", " + unit if unit else "")
        found.append((figure, median, heading))
        if figure in work.with_p99:
            found.append((figure, p99, "p99" + (", " + unit if unit else "")))
    return found


def table(work, results, contenders):
    """Rows of text: a heading, then size, contender, and value with its ratio to the better floor."""
    cols = [c for c in columns(work)
            if any(c[0] in f for n in results.sizes(work.letter) for f in results.samples[(work.letter, n)].values())]
    rows = [["N", ""] + [heading for _, _, heading in cols]]
    for size in results.sizes(work.letter):
        here = results.samples[(work.letter, size)]
        for name in [c for c in contenders if c in here] + [c for c in here if c not in contenders]:
            row = [number(size), name]
            for figure, how, _ in cols:
                value = how(results.of(work.letter, size, name, figure))
                text = number(value)
                best = max if figure in work.more_is_better else min
                floor = results.floor(work.letter, size, figure, how, best)
                if value is not None and floor:
                    text += "  %4.2fx" % (value / floor)
                row.append(text)
            rows.append(row)
    return rows


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(w) if i == 1 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def as_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0])] + lines[1:]


def goal_rows(goals):
    rows = [["", "goal", "reached in this run", "limit", "unit"]]
    for g in goals:
        word = {True: "yes", False: "NO", None: "not measured"}[g.reached]
        limit = ("at least " if g.at_least else "at most ") + number(g.limit)
        rows.append([word, g.text, number(g.value), limit, g.unit])
    return rows


def heading(about):
    return "%d processors, kernel %s, %d round%s, load at the end %.1f, %g s" % (
        about["cpus"], about["kernel"], about["rounds"], "s" if about["rounds"] > 1 else "", about["load"],
        about["seconds"])


def document(about, works, contenders, absent, results, style):
    """All of it as lines; STYLE makes a table of rows."""
    mark = "## " if style is as_markdown else "=== "
    bullet = "* " if style is as_markdown else "  "
    names = [c.name for c in contenders]
    lines = [heading(about), "", "Medians of all rounds; \"x\" is the ratio to the better floor of the same run.", ""]
    for work in works:
        if not results.sizes(work.letter):
            continue
        lines += [mark + "%s. %s" % (work.letter, work.title), ""]
        lines += style(table(work, results, names)) + [""]
        notes = list(work.notes) + work.remarks(results)
        lines += [bullet + note for note in notes] + ([""] if notes else [])
    lines += [mark + "Who ran", ""]
    lines += [bullet + "%s: %s" % (c.name, c.note) for c in contenders if c.note]
    lines += [bullet + "%s: %s" % (name, why) for name, why in absent.items()] + [""]
    if results.failures:
        lines += [mark + "What failed", ""]
        lines += [bullet + "%s, N = %s, %s: %s" % (w, n, c, " ".join(text.split()))
                  for w, n, c, text in results.failures]
        lines += [""]
    goals = [g for work in works for g in work.goals(results)]
    lines += [mark + "Goals", ""] + style(goal_rows(goals))
    counted = [g.reached for g in goals]
    lines += ["", "%d goals reached, %d not, %d not measured" % (counted.count(True), counted.count(False),
                                                              counted.count(None))]
    return lines


def as_json(about, works, contenders, absent, results):
    found = {"about": about, "absent": absent, "works": [], "failures": results.failures,
             "contenders": {c.name: c.note for c in contenders}}
    for work in works:
        sizes = {}
        for size in results.sizes(work.letter):
            sizes[str(size)] = {name: {figure: {"median": median(v), "p99": p99(v), "samples": v}
                                       for figure, v in figures.items()}
                                for name, figures in results.samples[(work.letter, size)].items()}
        found["works"].append({"work": work.letter, "title": work.title, "sizes": sizes,
                               "units": {k: u for k, (_, u) in work.figures.items()},
                               "goals": [g.as_json() for g in work.goals(results)]})
    return found


def write(out, about, works, contenders, absent, results):
    text = "\n".join(document(about, works, contenders, absent, results, as_text)) + "\n"
    print(text, end="")
    files = {"bench.txt": text,
             "bench.md": "\n".join(document(about, works, contenders, absent, results, as_markdown)) + "\n",
             "bench.json": json.dumps(as_json(about, works, contenders, absent, results), indent=1) + "\n",
             "bench.svg": chart.draw(about, works, contenders, results)}
    for name, content in files.items():
        with open(os.path.join(out, name), "w") as f:
            f.write(content)
