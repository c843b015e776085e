"""Opens a page that 'weighbridge report --format html' wrote in headless Chromium, and uses it.

    python3 check_page.py PAGE [--axe AXE] [--within SECONDS]

It must open without a complaint and without network, sort, filter, turn pages, show the data of plots, change its theme, fit a phone, and
print. With --axe, the script of axe-core ('npm pack axe-core' has it as package/axe.min.js), it must have no serious or critical fault of
accessibility, light or dark. With --within it must open in that time. Ends with 0, with 1 and what is wrong, or with 77 where there is no
browser.
"""

import argparse
import sys

from browser import Browser

VALUES = "document.querySelector('#all-values .table')"
COLUMN = f"(n => [...{VALUES}.querySelectorAll('tbody tr')].map(r => r.children[n].textContent))"
STATUS = f"{VALUES}.querySelector('[role=status]').textContent"
SETTLED = "new Promise(done => setTimeout(done, 400))"

faults = []


def expect(what, fine, detail=""):
    print(f"{'ok  ' if fine else 'FAIL'} {what}{f': {detail}' if detail != '' else ''}")
    if not fine:
        faults.append(what)


def click_heading(browser, name):
    script = f"(() => {{ const b = [...{VALUES}.querySelectorAll('th button')].find(b => b.textContent === '{name}'); b.click();"
    return browser.evaluate(script + " return b.closest('th').getAttribute('aria-sort'); })()")


def check_sorting(browser):
    names = browser.evaluate(f"[...{VALUES}.querySelectorAll('th')].map(h => h.textContent)")
    whole = browser.evaluate("JSON.parse(document.getElementById('data').textContent).rows.after.filter(x => x !== null).length")
    after = names.index("After")
    ascending = click_heading(browser, "After")
    least = browser.evaluate(COLUMN + f"({after})")
    descending = click_heading(browser, "After")
    greatest = browser.evaluate(COLUMN + f"({after})")
    expect("sorting by a number tells which way", (ascending, descending) == ("ascending", "descending"), f"{least[0]} … {greatest[0]}")
    extremes = browser.evaluate("""(() => {
        const d = JSON.parse(document.getElementById('data').textContent);
        const values = d.rows.after.filter(x => x !== null);
        return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    })()""")
    # Sizes are shown in other units than they are sorted by, so that the extremes are looked for among the data.
    script = """(([kernel, fixture, metric]) => {
        const d = JSON.parse(document.getElementById('data').textContent);
        const at = d.rows.after.findIndex((x, i) => x !== null && d.kernels[d.rows.kernel[i]] === kernel && d.fixtures[d.rows.fixture[i]] === fixture
            && d.metrics[d.rows.metric[i]].name === metric);
        return d.rows.after[at];
    })"""
    top = browser.evaluate(f"{script}([...{VALUES}.querySelector('tbody tr').children].slice(0, 3).map(c => c.textContent))")
    expect("the greatest value comes first", top == extremes[1], f"{top} of {whole} values")
    click_heading(browser, "After")
    bottom = browser.evaluate(f"{script}([...{VALUES}.querySelector('tbody tr').children].slice(0, 3).map(c => c.textContent))")
    expect("the least value comes first the other way", bottom == extremes[0], bottom)
    click_heading(browser, "Kernel")
    kernels = browser.evaluate(COLUMN + "(0)")
    expected = browser.evaluate(f"""(() => {{
        const d = JSON.parse(document.getElementById('data').textContent);
        const order = new Intl.Collator('en', {{ numeric: true }});
        return d.rows.kernel.map(k => d.kernels[k]).sort(order.compare).slice(0, {len(kernels)});
    }})()""")
    expect("names sort, too", kernels == expected, kernels[0])


def check_filters(browser):
    total = browser.evaluate(f"{VALUES}.querySelector('table').getAttribute('aria-rowcount')")
    kernel = browser.evaluate(f"{VALUES}.querySelector('select option:nth-child(2)').textContent")
    choose = f"(() => {{ const s = {VALUES}.querySelector('select'); s.value = '0'; s.dispatchEvent(new Event('change')); }})()"
    browser.evaluate(choose)
    kernels = set(browser.evaluate(COLUMN + "(0)"))
    expect("a filter leaves the kernel that was chosen", kernels == {kernel}, browser.evaluate(STATUS))
    browser.evaluate(choose.replace("'0'", "''"))
    search = f"(text => {{ const q = {VALUES}.querySelector('input'); q.value = text; q.dispatchEvent(new Event('input')); return {SETTLED}; }})"
    browser.evaluate(search + "('compression_ratio')")
    metrics = set(browser.evaluate(COLUMN + "(2)"))
    expect("a search leaves what holds all of its words", metrics == {"compression_ratio"}, browser.evaluate(STATUS))
    browser.evaluate(search + "('no such thing')")
    expect("a search for nothing says so", browser.evaluate(STATUS) == f"No row of {total} matches")
    browser.evaluate(search + "('')")
    expect("without a filter all rows are back", browser.evaluate(STATUS).endswith(f"of {total}"), browser.evaluate(STATUS))


def check_pages(browser):
    if not browser.evaluate(f"[...{VALUES}.querySelectorAll('button')].some(b => b.textContent === 'Next rows')"):
        return
    press = f"(name => [...{VALUES}.querySelectorAll('button')].find(b => b.textContent === name).click())"
    browser.evaluate(press + "('Next rows')")
    expect("the next rows are shown", browser.evaluate(STATUS).startswith("Rows 101 to "), browser.evaluate(STATUS))
    browser.evaluate(press + "('Previous rows')")
    expect("and the ones before", browser.evaluate(STATUS).startswith("Rows 1 to "))


def check_plots(browser):
    figures = browser.evaluate("[...document.querySelectorAll('figure')].map(f => [f.id, !!f.querySelector('svg')])")
    expect("every figure has its drawing", figures and all(drawn for _, drawn in figures), ", ".join(name for name, _ in figures))
    script = """Promise.all([...document.querySelectorAll('figure details')].map(d => {
        d.open = true;
        return new Promise(done => setTimeout(() => done(d.querySelectorAll('tbody tr').length), 300));
    }))"""
    rows = browser.evaluate(script)
    expect("every figure has its data", len(rows) == len(figures) and all(rows), rows)
    browser.evaluate("document.querySelectorAll('figure details').forEach(d => { d.open = false; })")


def check_theme(browser):
    colour = "getComputedStyle(document.body).backgroundColor"
    press = "document.getElementById('theme').click()"
    browser.scheme("light")
    seen = [browser.evaluate(colour)]
    browser.scheme("dark")
    seen.append(browser.evaluate(colour))
    expect("the theme is the system's", seen[0] != seen[1], " and ".join(seen))
    browser.evaluate(press)
    expect("a button changes it to light", browser.evaluate(colour) == seen[0])
    browser.evaluate(press)
    browser.scheme("light")
    expect("and to dark", browser.evaluate(colour) == seen[1])
    browser.evaluate(press)


def check_phone(browser):
    browser.size(360, 740)
    wide = browser.evaluate("document.documentElement.scrollWidth")
    expect("the page is no wider than a phone", wide <= 360, f"{wide} pixels")
    browser.size(1280, 900)


def check_axe(browser, script):
    for scheme in ["light", "dark"]:
        browser.scheme(scheme)
        browser.evaluate(open(script, encoding="utf-8").read() + "; 0")
        # Contents that are not on the screen are skipped by the browser, and then have no colours to compare.
        browser.evaluate("document.querySelectorAll('figure').forEach(f => { f.style.contentVisibility = 'visible'; })")
        found = browser.evaluate("axe.run().then(r => [r.passes.length, r.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 160)])])")
        serious = [v for v in found[1] if v[0] in ("serious", "critical")]
        expect(f"axe finds nothing serious, {scheme}", found[0] > 10 and not serious, serious or f"{found[0]} rules pass, {len(found[1])} lesser faults {found[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page")
    parser.add_argument("--axe", help="the script of axe-core")
    parser.add_argument("--within", type=float, help="seconds that the page may take to open")
    arguments = parser.parse_args()
    with Browser() as browser:
        browser.size(1280, 900)
        took = browser.open(arguments.page)
        rows = browser.evaluate(f"{VALUES}.querySelector('table').getAttribute('aria-rowcount')")
        inside = browser.evaluate("Math.round(performance.getEntriesByType('navigation')[0].loadEventEnd)")
        limit = arguments.within
        expect(f"opens with {rows} values", limit is None or took < limit, f"{took:.2f} s, of which {inside} ms to the load event")
        expect("no complaint and no request", not browser.complaints(), browser.complaints() or "")
        check_sorting(browser)
        check_filters(browser)
        check_pages(browser)
        check_plots(browser)
        check_theme(browser)
        check_phone(browser)
        pdf = browser.pdf()
        expect("prints", pdf.startswith(b"%PDF") and len(pdf) > 10_000, f"{len(pdf)} bytes of PDF")
        if arguments.axe:
            check_axe(browser, arguments.axe)
        expect("no complaint after all that", not browser.complaints(), browser.complaints() or "")
    print(f"{len(faults)} faults" if faults else "the page does what it should")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
