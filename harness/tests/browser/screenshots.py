"""Takes pictures of a page and of each of its plots, light and dark, in headless Chromium.

    python3 screenshots.py PAGE FOLDER
"""

import os
import sys

from browser import Browser


def main():
    page, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    with Browser() as browser:
        for scheme in ["light", "dark"]:
            browser.scheme(scheme)
            browser.size(390, 844)
            browser.open(page)
            browser.screenshot(os.path.join(folder, f"phone-{scheme}.png"))
            browser.size(1180, 900)
            browser.open(page)
            browser.screenshot(os.path.join(folder, f"page-{scheme}.png"))
            # The head stays above what is scrolled to, and would lie on the pictures.
            browser.evaluate("document.querySelector('header').style.position = 'static'")
            browser.evaluate("document.querySelectorAll('figure').forEach(f => { f.style.contentVisibility = 'visible'; })")
            browser.evaluate("document.getElementById('all-values').scrollIntoView()")
            browser.screenshot(os.path.join(folder, f"values-{scheme}.png"))
            figures = browser.evaluate("[...document.querySelectorAll('figure')].map(f => f.id)")
            for name in figures:
                # The maps of all fixtures look alike, and so do histories; the first stands for them.
                kind = next((k for k in ("error-map-", "history-") if name.startswith(k)), name)
                if name != next(f for f in figures if f.startswith(kind)):
                    continue
                browser.screenshot(os.path.join(folder, f"{name}-{scheme}.png"), f"[id='{name}'] .plot svg")
    print(f"pictures are in '{folder}'")


if __name__ == "__main__":
    main()
