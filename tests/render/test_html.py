"""The report page: whole, self-contained, readable without colour or sight, and the same every time."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mobilekit.render.html import Page, op_rows, render_page, unchecked_rules
from tests.render.samples import bench, compat, conversion, photos, verification

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

VOID = {"meta", "img", "br", "link", "input"}


class _Checker(HTMLParser):
    """Collects what is wrong with a page: unbalanced tags, pictures without words, tables without captions."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.problems: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "img" and not attributes.get("alt"):
            self.problems.append("an image has no alt text")
        if tag == "th" and attributes.get("scope") not in ("row", "col"):
            self.problems.append("a header cell has no scope")
        if "id" in attributes:
            self.ids.append(attributes["id"] or "")
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")


@pytest.fixture(scope="module")
def full() -> Page:
    return Page("Net <b>&", conversion(), verification(), photos(), compat(), bench())


@pytest.fixture(scope="module")
def html(full: Page) -> str:
    return render_page(full)


def test_structure(html: str) -> None:
    checker = _Checker()
    checker.feed(html)
    assert checker.problems == []
    assert checker.stack == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert html.count("<table>") == html.count("<caption>")


def test_nothing_comes_from_elsewhere(html: str) -> None:
    checker = _Checker()
    checker.feed(html)
    assert all(source.startswith("data:") for source in checker.sources)
    assert "<script" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_what_users_wrote_is_escaped(html: str) -> None:
    assert "Net &lt;b&gt;&amp;" in html
    assert "class &lt;1&gt; &amp; more" in html


def test_key_figures(html: str) -> None:
    for text in ("3.72 MB", "15.5 dB", "4 of 5", "3 of 4", "✓ Verified", "measured + modelled", "296 of 299 delivered"):
        assert text in html, text


def test_plots_are_svg_and_have_their_marks(html: str) -> None:
    plots = [base64.b64decode(data) for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)]
    assert len(plots) == 3
    layers, waterfall, histogram = (plot.decode() for plot in plots)
    for plot in plots:
        ElementTree.fromstring(plot)
    assert "SQNR against float (dB)" in layers
    assert "inference (measured)" in waterfall
    assert "scan-out (modelled)" in waterfall
    assert "latency of delivered frames, 300 values" in histogram


def test_same_results_same_page(full: Page, html: str) -> None:
    assert render_page(full) == html


@pytest.mark.parametrize("part", ["conversion", "verification", "photos", "compat", "bench", None])
def test_every_part_stands_alone(full: Page, part: str | None) -> None:
    page = Page("one part", **({part: getattr(full, part)} if part else {}))
    checker = _Checker()
    checker.feed(render_page(page))
    assert (checker.problems, checker.stack) == ([], [])


def test_a_failed_verification_is_said_in_words() -> None:
    html = render_page(Page("bad", conversion(clean=False)))
    assert "✗ Not verified" in html
    assert "logits: SQNR 3.1 dB, the bar is 10 dB" in html
    assert "calibrated on synthetic data" in html


def test_op_rows_count_what_is_refused() -> None:
    rows = {kind: (total, cells) for kind, total, cells in op_rows(compat())}
    total, cells = rows["ADD"]
    assert total == 10
    assert [cell.text for cell in cells][:4] == ["yes", "5/10", "0/10", "6/10"]
    assert [cell.mark for cell in cells][:4] == ["yes", "partly", "no", "partly"]
    assert cells[1].reason == "input 1 must be a constant; rank over 4"
    assert [cell.text for cell in rows["CONV_2D"][1]][:2] == ["yes", "yes*"]


def test_unchecked_rules_are_listed_once(html: str) -> None:
    listed = {target.target: rules for target, rules in unchecked_rules(compat())}
    assert "xnnpack" not in listed, "a target without such rules is left out"
    assert listed["gpu"] == {"weights fit the on-chip memory": ["CONV_2D"]}
    assert html.count("<li>weights fit the on-chip memory ") == len(listed)
