"""The table behind each picture: the same numbers as the picture shows, built only when it is opened."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from attattr_core.ui.heads_payload import load_shipped
from tests.browser.test_access import CHART, HEADS, TREE, TRIAL, open_tab

SHOWN = "document.querySelector('.aa-view').attattr.shown()"
META = "__attattr.heatmaps.run.meta"


def name_tokens(tokens):
    return [f"{token} #{k}" if tokens.count(token) > 1 else token for k, token in enumerate(tokens, 1)]


def to_number(text):
    """The first number of a cell, as the page writes numbers."""
    return float(re.match(r"[+−-]?[\d.]+(e−\d+)?", text)[0].replace("−", "-"))


def read_table(page, name):
    """Opens a table with the keyboard and reads it: caption, titles, rows by their names."""
    fold = page.get_by_test_id(f"{name}-table")
    if fold.get_attribute("open") is None:
        assert fold.locator("tr").count() == 0, "it is built when it is opened"
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
    expect(fold.locator("tbody tr").first).to_be_visible()
    titles = fold.locator("thead th[scope=col]").all_text_contents()
    rows = fold.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert fold.locator("tbody tr > th[scope=row]").count() == len(rows)
    assert all(len(row) == len(titles) for row in rows)
    return fold.locator("caption").text_content(), titles, rows


@pytest.mark.parametrize("kind", ["attention", "attribution"])
def test_the_strongest_entries_of_a_map(page, kind):
    for cell, head in (("cell-2-4", "layer 2 · head 4"), ("cell-5-sum", "layer 5 · all heads")):
        page.get_by_test_id(cell).click()
        expect(page.get_by_test_id("selection")).to_contain_text(head)
        expect(page.get_by_test_id(f"plate-{kind}")).to_have_accessible_name(re.compile(head))
        caption, titles, rows = read_table(page, f"entries-{kind}")
        assert caption.startswith(f"{head}: the 100 strongest of ")
        assert titles == ["token", "receives from", "attention", "attribution"]
        shown = page.evaluate(SHOWN)
        values, tokens = np.array(shown[kind]), name_tokens(shown["tokens"])
        order = np.argsort(-np.abs(values), axis=None, kind="stable")[:100]
        expected = [divmod(int(at), len(values)) for at in order]
        assert [row[:2] for row in rows] == [[tokens[i], tokens[j]] for i, j in expected]
        for row, (i, j) in list(zip(rows, expected, strict=True))[:40]:
            assert to_number(row[3]) == pytest.approx(shown["attribution"][i][j], rel=0.02, abs=1e-4)


def test_tables_of_the_grid_and_of_the_certificate(page):
    meta = page.evaluate(META)
    _, titles, rows = read_table(page, "grid")
    assert titles == ["layer", *(f"head {k}" for k in range(1, 13))]
    assert [row[0] for row in rows] == list("654321")
    values = [[to_number(cell) for cell in row[1:]] for row in rows]
    np.testing.assert_allclose(values, meta["head_max"][::-1], rtol=0.02, atol=1e-4)
    caption, _, rows = read_table(page, "gauge")
    assert caption == "Completeness of each layer"
    assert [int(row[3]) for row in rows] == meta["nodes"]
    np.testing.assert_allclose([to_number(row[1]) for row in rows], meta["delta"], rtol=0.06, atol=6e-6)


def test_tables_of_the_tree_and_its_charts(page):
    open_tab(page, "Tree", CHART)
    caption, _, rows = read_table(page, "tree")
    assert caption.startswith("Edges of the attribution tree for contradiction")
    edges = sorted(page.evaluate(f"{TREE}.edges"), key=lambda edge: -edge["value"])
    assert [int(row[0]) for row in rows] == [edge["layer"] + 1 for edge in edges]
    np.testing.assert_allclose([to_number(row[2]) for row in rows], [edge["value"] for edge in edges], rtol=0.02)
    page.get_by_test_id("tree-edges").fill("3")
    expect(page.get_by_test_id("tree-table").locator("tbody tr")).to_have_count(3)
    message = page.evaluate("document.querySelector('[data-kind=curves]').attattr.shown()")
    for kind in ("deletion", "insertion"):
        page.get_by_test_id(f"curves-kind-{kind}").check(force=True)
        caption, _, rows = read_table(page, "curves")
        assert ("removed" if kind == "deletion" else "added") in caption
        assert [int(row[0]) for row in rows] == message["counts"]
        np.testing.assert_allclose([to_number(row[1]) for row in rows], message[kind]["tree"], atol=6e-4)
    means = page.evaluate("document.querySelector('[data-kind=means]').attattr.shown()")["modes"]["flow"]
    _, _, rows = read_table(page, "means")
    np.testing.assert_allclose([to_number(row[1]) for row in rows], means["tree"]["mean"], atol=6e-4)
    field = page.evaluate("document.querySelector('[data-kind=field]').attattr.shown()")
    _, _, rows = read_table(page, "field")
    assert [row[1] for row in rows] == [", ".join(map(str, row)) for row in field["shown"]]


def test_tables_of_the_heads(page):
    open_tab(page, "Heads", HEADS)
    study = load_shipped("snli")
    _, titles, rows = read_table(page, "heads-grids")
    column = titles.index("attribution")
    values = study.importances["attattr"].values.ravel()
    assert len(rows) == values.size
    np.testing.assert_allclose([to_number(row[column]) for row in rows], values, rtol=0.02, atol=1e-4)
    ranks = [int(re.search(r"\((\d+)\)", row[column])[1]) for row in rows]
    assert ranks[int(values.argmax())] == 1
    page.get_by_test_id("heads-rate").fill("11")
    pruned = page.get_by_test_id("heads-grids-table").locator("tbody tr", has_text=re.compile("yes$"))
    expect(pruned).to_have_count(11)
    for direction in ("least-first", "most-first"):
        _, titles, rows = read_table(page, f"heads-{direction}")
        curve = next(c for c in study.curves if (c.method, c.direction) == ("attattr", direction))
        column = titles.index("attribution")
        shown = {int(row[0]): to_number(row[column]) for row in rows if row[column]}
        assert shown == pytest.approx(dict(zip(map(int, curve.n_pruned), curve.metric, strict=True)), abs=6e-4)
    _, titles, rows = read_table(page, "heads-scatter")
    assert (len(rows), titles[0], titles[-1]) == (values.size, "head", "pruned")
    areas = page.get_by_test_id("heads-areas")
    assert areas.locator("table > caption").count() == areas.locator("table").count() == 2
    assert areas.locator("tbody tr > th[scope=row]").count() == areas.locator("tbody tr").count()


def test_tables_of_triggers_and_of_a_comparison(page):
    open_tab(page, "Triggers", f"{TRIAL}?.picked()")
    _, titles, rows = read_table(page, "triggers-bars")
    message = page.evaluate("document.querySelector('[data-kind=triggers]').attattr.shown()")
    picked = page.evaluate("document.querySelector('[data-kind=triggers]').attattr.picked()")
    study = next(iter(message["mined"].values()))["study"]
    column = titles.index("with trigger")
    assert [row[1] for row in rows][: len(study["labels"])] == study["labels"]
    for row, share in zip(rows, picked["study"]["after"]["accuracy"], strict=False):
        assert to_number(row[column]) == pytest.approx(100 * share, abs=0.51)
    page.get_by_test_id("trial-run").click()
    page.wait_for_function(f"{TRIAL}.shown()?.status === 'done' && {TRIAL}.shown().plates", timeout=120_000)
    plates = page.evaluate(f"{TRIAL}.shown().plates")
    _, _, rows = read_table(page, "trial-entries")
    difference, n = np.array(plates["difference"]), len(plates["tokens"])
    first, second = divmod(int(np.abs(difference).argmax()), n)
    tokens = name_tokens(plates["tokens"])
    assert rows[0][:2] == [tokens[first], tokens[second]]
    assert to_number(rows[0][4]) == pytest.approx(difference[first * n + second], rel=0.02)
    assert [abs(to_number(row[4])) for row in rows] == sorted((abs(to_number(row[4])) for row in rows), reverse=True)
    _, _, rows = read_table(page, "trial-grid")
    assert len(rows) == 6
