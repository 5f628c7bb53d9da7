"""The report files of a CI run, read back by what their consumers use."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mobilekit.compat.check import check
from mobilekit.compat.ci import judged
from mobilekit.compat.config import Bars
from mobilekit.errors import InputError, UnsupportedOp
from mobilekit.render.ci_badge import badge_json
from mobilekit.render.ci_files import FORMATS, format_of, parse_report, write_reports
from mobilekit.render.ci_github import github_annotations
from mobilekit.render.ci_html import ci_html
from mobilekit.render.ci_junit import junit_xml
from mobilekit.render.ci_markdown import markdown
from mobilekit.render.ci_sarif import sarif_document
from mobilekit.render.ci_words import percent
from mobilekit.results.compat import CiReport, ModelOutcome
from mobilekit.source import SourceLocation
from tests.compat.graphs import Names, conv, graph_of, unary

HERE = str(Path(__file__).parent)


def sample() -> CiReport:
    """One model that is fine, one that misses a bar, one that could not be checked."""
    Names.count = 100_000  # The same names each time, as a file gives them.
    first = conv(8, 4, 6)
    middle = unary("GATHER_ND", first.output)
    middle.source = SourceLocation(f"{HERE}/net.py", 12, "y = strange(y)")
    graph = graph_of([first, middle, conv(8, 6, 6, x=middle.output)])
    lost = UnsupportedOp(
        "aten.special_i0.default", "i0_1", "no lowering", SourceLocation(f"{HERE}/net.py", 9), "a table"
    )
    good = judged(check(graph_of([conv()]), "cpu,gpu", name="good"), Bars(), "good.tflite").outcomes[0]
    bad = judged(
        check(graph, "cpu,gpu", name="cut <b>", unsupported=[lost]),
        Bars(min_coverage={"cpu": 1.0}, runtime_min="1.5"),
        "net.py:make",
    ).outcomes[0]
    broken = ModelOutcome(
        "broken", "broken.tflite", None, "it is damaged: \x00\x1b & <tag>\nline two", (), (), 0.5, False
    )
    return CiReport((good, replace(bad, notes=("gpu: not in the baseline yet",)), broken))


REPORT = sample()


def test_junit_is_read_by_junitparser():
    junitparser = pytest.importorskip("junitparser")
    text = junit_xml(REPORT, when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), host="here")
    found = junitparser.JUnitXml.fromstring(text.encode())
    assert (found.tests, found.failures, found.errors) == (6, 2, 1)
    suites = {suite.name: suite for suite in found}
    assert set(suites) == {"good", "cut <b>", "broken"}
    assert suites["good"].timestamp == "2026-01-02T03:04:05"
    results = {case.name: [type(r).__name__ for r in case.result] for case in suites["cut <b>"]}
    assert results == {"cpu": ["Failure"], "gpu": [], "runtime": ["Failure"]}
    (error,) = next(iter(suites["broken"])).result
    assert "it is damaged: \ufffd\ufffd & <tag>" in error.message
    failure = next(case for case in suites["cut <b>"] if case.name == "cpu").result[0]
    assert failure.message == "takes 50 % of the ops (2 refused), 100 % is the bar"
    assert "GATHER_ND" in failure.text


def test_junit_has_what_the_ant_schema_asks_for():
    """Attributes and order of children of the Ant schema, which is stricter than Jenkins'."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(junit_xml(REPORT))
    for suite in root:
        assert {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"} <= set(
            suite.attrib
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        kinds = [child.tag for child in suite]
        assert kinds == ["properties", *["testcase"] * int(suite.attrib["tests"]), "system-out", "system-err"]
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        for case in suite.iter("testcase"):
            assert {"name", "classname", "time"} <= set(case.attrib)
    assert int(root.attrib["tests"]) == len(list(root.iter("testcase")))


def test_sarif_points_at_the_users_lines():
    run = sarif_document(REPORT, root=HERE)["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    places = {}
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        where = result["locations"][0]["physicalLocation"]
        places.setdefault(result["ruleId"], set()).add(
            (where["artifactLocation"]["uri"], where["region"]["startLine"], result["level"])
        )
    assert places == {
        "model-not-checked": {("broken.tflite", 1, "error")},
        "bar-missed": {("net.py", 1, "error")},
        "op-refused": {("net.py", 12, "warning")},
        "op-without-lowering": {("net.py", 9, "error")},
    }
    assert run["invocations"][0] == {"executionSuccessful": False, "exitCode": 1}


def test_sarif_fingerprints_are_one_a_finding_and_stay():
    results = sarif_document(REPORT)["runs"][0]["results"]
    prints = [result["partialFingerprints"]["mobilekit/v1"] for result in results]
    assert len(set(prints)) == len(prints)
    assert prints == [r["partialFingerprints"]["mobilekit/v1"] for r in sarif_document(sample())["runs"][0]["results"]]


def test_sarif_fits_the_official_schema():
    """The official validator's npm package carries the schema; ``make test`` takes it out of there."""
    path = os.environ.get("MOBILEKIT_SARIF_SCHEMA")
    if path is None:
        pytest.skip("MOBILEKIT_SARIF_SCHEMA names no copy of the SARIF 2.1.0 schema: make report-tools")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(path).read_text())
    document = sarif_document(REPORT)
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.validate(document)
    del document["runs"][0]["tool"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def test_markdown_is_one_table_and_the_details():
    text = markdown(REPORT)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") - line.count("\\|") for line in rows}) == 1
    assert "| good | 100 % | 100 % | 1.5.0 | ✅ ok |" in rows
    assert "3 models: 1 ok, 1 missed a bar, 1 could not be checked" in text
    assert "- **cpu**: takes 50 % of the ops (2 refused), 100 % is the bar" in text
    assert "<details><summary>cpu: 2 ops refused</summary>" in text
    assert "Changing `GATHER_ND` alone (1 op) would leave 1 piece of 3." in text
    assert "<b>" not in text
    assert text.count("<details>") == text.count("</details>")


def test_github_annotations_escape_what_would_end_them():
    lines = github_annotations(REPORT, root=HERE).splitlines()
    assert all(re.match(r"::(error|warning|notice)( file=[^,]+,line=\d+,title=[^:]+)?::.", line) for line in lines)
    assert any("file=net.py,line=12,title=cpu does not take GATHER_ND::" in line for line in lines)
    assert any("%0Aline two" in line for line in lines)


def test_github_annotations_stop_where_github_stops_showing_them():
    many = [unary("GATHER_ND", conv().output) for _ in range(30)]
    for number, made in enumerate(many):
        made.source = SourceLocation("net.py", number + 1)
    report = judged(check(graph_of(many), "cpu"), Bars())
    lines = github_annotations(report).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "::notice::20 more findings are in the report"


@pytest.mark.parametrize(
    ("outcomes", "message", "color"),
    [((0,), "100 %", "brightgreen"), ((0, 1), "50 %", "red"), ((0, 2), "unknown", "lightgrey")],
)
def test_badge(outcomes, message, color):
    found = json.loads(badge_json(CiReport(tuple(REPORT.outcomes[index] for index in outcomes))))
    assert found == {"schemaVersion": 1, "label": "op coverage", "message": message, "color": color}


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_whole_and_needs_nothing_from_elsewhere():
    text = ci_html(REPORT)
    page = Balance()
    page.feed(text)
    assert page.open == []
    shown = " ".join(page.text)
    assert "cut <b>" in shown
    assert "GATHER_ND is not in its list of ops" in shown
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "http" not in text


# Clicks and types as a user would, and leaves what it saw in the page.
_USER = """<script>
const order = () => [...document.querySelectorAll('#models tbody tr')].map(row => row.cells[0].textContent);
const seen = {first: order()};
const head = document.querySelectorAll('#models th')[2];
head.click(); seen.up = order();
head.click(); seen.down = order();
box.value = 'gather_nd'; box.dispatchEvent(new Event('input'));
seen.left = [...document.querySelectorAll('tbody tr')].filter(row => !row.hidden).length;
const note = document.createElement("pre");
note.id = "seen";
note.textContent = JSON.stringify(seen);
document.body.append(note);
</script></body>"""


def test_the_page_sorts_and_filters_in_a_browser(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    page = tmp_path / "page.html"
    page.write_text(ci_html(REPORT).replace("</body>", _USER))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    done = subprocess.run(
        [chromium, *flags, "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    (text,) = re.findall('<pre id="seen">(.*)</pre>', done.stdout)
    seen = json.loads(html.unescape(text))
    assert seen["first"] == ["good", "cut <b>", "broken"]
    assert seen["up"] == ["broken", "cut <b>", "good"]
    assert seen["down"] == ["good", "cut <b>", "broken"]
    assert seen["left"] == 2  # One refusal on each of two targets.


def test_every_format_of_the_configuration_has_a_writer():
    from mobilekit.compat.config import REPORT_FORMATS

    assert set(FORMATS) == set(REPORT_FORMATS)
    for write in FORMATS.values():
        assert write(REPORT)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.xml", "junit"), ("a.sarif", "sarif"), ("a.sarif.json", "sarif"), ("a.MD", "markdown"), ("a.json", "json"),
     ("a.html", "html"), ("a.bin", None)],
)  # fmt: skip
def test_a_file_name_says_its_format(name, kind):
    assert format_of(name) == kind


def test_reports_from_a_command_line():
    assert parse_report("junit=a/b.xml") == ("junit", "a/b.xml")
    assert parse_report("a.sarif") == ("sarif", "a.sarif")
    for word in ("junitt=a.xml", "a.bin", "junit="):
        with pytest.raises(InputError, match="write FORMAT=FILE, where FORMAT is one of text, json"):
            parse_report(word)


def test_a_report_that_cannot_be_written_leaves_the_others(tmp_path):
    (tmp_path / "file").write_text("")
    problems = write_reports(
        REPORT, [("junit", "file/below.xml"), ("json", "out/a.json"), ("markdown", "a.md")], tmp_path
    )
    assert len(problems) == 1
    assert problems[0].startswith(f"junit report: cannot write '{tmp_path}/file/below.xml': ")
    document = json.loads((tmp_path / "out" / "a.json").read_text())
    assert (document["kind"], document["format_version"]) == ("ci", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "file", "out"]


@pytest.mark.parametrize(
    ("share", "shown"), [(1.0, "100 %"), (0.9996, "99.9 %"), (0.985, "98.5 %"), (0.0, "0 %"), (0.5, "50 %")]
)
def test_a_hundred_percent_is_all(share, shown):
    assert percent(share) == shown
