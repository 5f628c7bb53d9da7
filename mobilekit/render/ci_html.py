"""A CI run as one HTML file that needs nothing else: a table that sorts and filters, refusals below."""

from __future__ import annotations

from html import escape

from mobilekit.render.ci_words import figures_of, number, percent, place, refused, summary, verdict
from mobilekit.results.compat import CiReport, ModelOutcome, TargetReport

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --mid: #b26a00; --good: #2e7d32; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th { text-align: left; cursor: pointer; white-space: nowrap; } td.n, th.n { text-align: right; white-space: nowrap; }
td { vertical-align: top; } small { opacity: .7; }
td.error { color: var(--bad); } td.missed { color: var(--mid); } td.ok { color: var(--good); }
input { font: inherit; padding: .3rem .5rem; margin: .5rem 0; width: 20rem; max-width: 100%; }
code { font-size: 90%; overflow-wrap: anywhere; } .scroll { overflow-x: auto; } tr[hidden] { display: none; }
"""

# Sorts by data-v (numbers as numbers); the filter hides rows that do not hold its text.
_SCRIPT = """
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  table.tHead.rows[0].querySelectorAll('th').forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const value = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        const order = x !== '' && y !== '' && !isNaN(x) && !isNaN(y) ? x - y : x.localeCompare(y);
        return down ? -order : order;
      });
      body.append(...rows);
    };
    head.addEventListener('click', sort);
    head.addEventListener('keydown', event => { if (event.key === 'Enter') sort(); });
  });
}
const box = document.getElementById('filter');
box.addEventListener('input', () => {
  const text = box.value.toLowerCase();
  for (const row of document.querySelectorAll('tbody tr')) row.hidden = !row.textContent.toLowerCase().includes(text);
});
"""


def ci_html(report: CiReport) -> str:
    names = list(dict.fromkeys(t.asked or t.target for o in report.outcomes if o.report for t in o.report.targets))
    figures = figures_of(report)
    heads = "".join(f'<th class="n">{escape(name)}</th>' for name in names)
    titles = "".join(f'<th class="n">{escape(title)}</th>' for title in figures)
    rows = "\n".join(
        _row(outcome, names, [values[index] for values in figures.values()])
        for index, outcome in enumerate(report.outcomes)
    )
    notes = "\n".join(_notes(outcome) for outcome in report.outcomes)
    findings = "\n".join(_findings(outcome) for outcome in report.outcomes)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Op coverage</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>
<h1>Op coverage</h1>
<p>{escape(summary(report.outcomes))}</p>
<ul>{notes}</ul>
<label>Filter <input id="filter" type="search" placeholder="model, op, reason"></label>
<div class="scroll"><table class="sortable" id="models"><thead><tr><th>model</th><th>result</th>{heads}
<th class="n">needs TFLite</th>{titles}</tr></thead><tbody>
{rows}
</tbody></table></div>
<h2>Refused ops</h2>
<div class="scroll"><table class="sortable" id="findings"><thead><tr><th>model</th><th>target</th><th>op</th>
<th>why</th><th>instead</th><th>where</th></tr></thead><tbody>
{findings}
</tbody></table></div>
<script>{_SCRIPT}</script></body></html>
"""


def _row(outcome: ModelOutcome, names: list[str], figures: list[float | None]) -> str:
    found = {} if outcome.report is None else {t.asked or t.target: t for t in outcome.report.targets}
    cells = "".join(_cell(found.get(name)) for name in names)
    runtime = "" if outcome.report is None else escape(outcome.report.min_runtime_version)
    word = verdict(outcome)
    cells += f'<td class="n">{runtime}</td>' + "".join(
        f'<td class="n" data-v="{-1 if value is None else value}">{number(value)}</td>' for value in figures
    )
    return f'<tr><td>{escape(outcome.name)}</td><td class="{word}">{word}</td>{cells}</tr>'


def _cell(target: TargetReport | None) -> str:
    if target is None:
        return '<td class="n" data-v="-1"></td>'
    pieces = f"<br><small>{target.pieces} pieces</small>" if target.pieces > 1 else ""
    return f'<td class="n" data-v="{target.coverage:.6f}">{percent(target.coverage)}{pieces}</td>'


def _notes(outcome: ModelOutcome) -> str:
    lines = [f"{outcome.name}: {outcome.error}"] if outcome.error is not None else []
    lines += [f"{outcome.name} on {miss.target}: {miss.message}" for miss in outcome.misses]
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _findings(outcome: ModelOutcome) -> str:
    rows = []
    for target in outcome.report.targets if outcome.report is not None else ():
        for finding in refused(target):
            file, line = place(outcome, finding.source)
            cells = (
                outcome.name,
                target.asked or target.target,
                finding.kind,
                "; ".join(finding.reasons),
                finding.suggestion or "",
                f"{file}:{line}" if finding.source is not None else finding.name,
            )
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return "\n".join(rows)
