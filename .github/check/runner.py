"""Runs the shell steps of a workflow on this machine.

What is the platform's is imitated by copies between folders: checkout, caches, artifacts, the command line `gh`. Everything else is run as it stands,
by the shell that the platform would use, with its environment files.
"""

import fnmatch
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from expressions import filled, holds


class Failed(Exception):
    """A job that did not end as it should."""


class Runner:
    def __init__(self, folder, origin, sources, program, ref="main", event=None, inputs=None):
        """`origin` is a bare repository, `sources` a checkout of Weighbridge, `program` its built binary."""
        self.folder, self.origin, self.sources, self.program = Path(folder), origin, sources, Path(program)
        self.ref, self.event, self.inputs = ref, event or {}, inputs or {}
        self.ran, self.skipped, self.runs = [], [], 0
        self.artifacts = self.folder / "artifacts"
        self.home = self.folder / "home"
        cached = self.home / ".cache/weighbridge-program"
        cached.mkdir(parents=True, exist_ok=True)
        if not (cached / "weighbridge").exists():
            (cached / "weighbridge").symlink_to(self.program)

    def workflow(self, path, event_name, base_ref="", expect="success"):
        """Runs all jobs; what each ended with, by job."""
        text = yaml.safe_load(Path(path).read_text())
        self.name = Path(path).name
        self.github = {
            "event_name": event_name, "base_ref": base_ref, "ref": f"refs/heads/{self.ref}", "ref_name": self.ref, "event": self.event,
            "repository": "owner/project", "token": "a-token", "run_id": "77", "server_url": "https://example.org",
        }
        results, pending = {}, dict(text["jobs"])
        while pending:
            name = next(n for n, job in pending.items() if all(need in results for need in needs(job)))
            job = pending.pop(name)
            ok = all(results[need] == "success" for need in needs(job))
            contexts = {"github": self.github, "inputs": self.inputs, "env": text.get("env") or {}}
            if not holds(job.get("if"), contexts, self.functions(ok), ok):
                results[name] = "skipped"
                continue
            matrix = (job.get("strategy") or {}).get("matrix") or {}
            parts = [dict(zip(matrix, [value])) for value in next(iter(matrix.values()))] if matrix else [{}]
            ended = [self.job(f"{name}{''.join(f' {v}' for v in part.values())}", job, contexts, part, len(parts)) for part in parts]
            results[name] = "success" if all(ended) else "failure"
        found = "failure" if "failure" in results.values() else "success"
        if found != expect:
            raise Failed(f"{self.name}: {results}, where {expect} was wanted")
        return results

    def functions(self, ok):
        return {"always": lambda: True, "cancelled": lambda: False, "success": lambda: ok, "failure": lambda: not ok, "hashFiles": lambda *_: "0" * 64}

    def job(self, name, job, contexts, matrix, total):
        self.runs += 1
        self.workspace, self.temp = self.folder / f"job-{self.runs}/work", self.folder / f"job-{self.runs}/temp"
        self.temp.mkdir(parents=True)
        self.workspace.mkdir()
        contexts = {**contexts, "matrix": matrix, "strategy": {"job-total": total}, "runner": {"temp": str(self.temp), "os": "Linux"}}
        contexts["env"] = {**contexts["env"], **{k: filled(v, contexts, self.functions(True)) for k, v in (job.get("env") or {}).items()}}
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temp), "LANG": "C.UTF-8",
            "GITHUB_WORKSPACE": str(self.workspace), "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"), "GITHUB_BASE_REF": self.github["base_ref"],
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")), "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "GH_STATE": str(self.folder / "gh"), "GIT_CONFIG_NOSYSTEM": "1",
        }
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        return self.steps(f"{self.name}, {name}", job["steps"], contexts, environment)[0]

    def steps(self, place, steps, contexts, environment, extra=None):
        contexts = {**contexts, "steps": {}}
        ok = True
        for step in steps:
            label = step.get("name") or step.get("uses") or step["run"].splitlines()[0]
            if not holds(step.get("if"), contexts, self.functions(ok), ok):
                if ok:
                    self.skipped.append((place, label, "its condition does not hold"))
                continue
            fill = lambda value: filled(value, contexts, self.functions(ok))
            outputs = self.temp / f"outputs-{len(self.ran)}-{len(self.skipped)}"
            env = {**environment, **{k: str(v) for k, v in contexts["env"].items()}, **{k: fill(v) for k, v in (step.get("env") or {}).items()}, **(extra or {})}
            env.update(GITHUB_OUTPUT=str(outputs), GITHUB_PATH=str(self.temp / "path"))
            given = {k: fill(v) for k, v in (step.get("with") or {}).items()}
            found = {}
            if "run" in step:
                done = self.shell(place, label, step, env, fill(step["run"]))
            else:
                done, found = self.use(place, label, step["uses"], given, contexts, environment)
            ok = ok and done
            if outputs.exists():
                found = {**found, **dict(line.split("=", 1) for line in outputs.read_text().splitlines())}
            if (added := self.temp / "path").exists():
                environment["PATH"] = ":".join([*reversed(added.read_text().split()), environment["PATH"]])
                added.unlink()
            if step.get("id"):
                contexts["steps"][step["id"]] = {"outputs": found}
        return ok, contexts

    def shell(self, place, label, step, env, text):
        script = self.temp / f"step-{len(self.ran)}.sh"
        script.write_text(text)
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") == "bash" else ["-e"]
        done = subprocess.run(["bash", *options, script], cwd=self.workspace, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.ran.append((place, label, done.returncode, done.stdout, done.stderr))
        return done.returncode == 0

    def use(self, place, label, uses, given, contexts, environment):
        if uses.startswith("./"):
            folder = self.workspace / uses
            action = yaml.safe_load((folder / "action.yml").read_text())
            inputs = {name: given.get(name, entry.get("default", "")) for name, entry in action["inputs"].items()}
            ok, inner = self.steps(f"{place}, action", action["runs"]["steps"], {**contexts, "inputs": inputs, "env": {}}, environment, {"GITHUB_ACTION_PATH": str(folder)})
            return ok, {name: filled(entry["value"], inner, self.functions(ok)) for name, entry in action["outputs"].items()}
        kind = uses.split("@")[0]
        self.skipped.append((place, label, "the platform's; imitated by copies between folders"))
        if kind == "actions/checkout":
            if "repository" in given:
                (self.workspace / given["path"]).symlink_to(self.sources)
            else:
                git(self.workspace, "clone", "--quiet", "--branch", self.ref, self.origin, ".")
        elif kind == "actions/cache":
            return True, {"cache-hit": "true" if "weighbridge-program" in given["path"] else "false"}
        elif kind == "actions/upload-artifact":
            paths = given["path"].split()
            source = self.workspace / paths[0]
            if not source.exists() and given.get("if-no-files-found") == "error":
                return False, {}
            if source.exists():
                target = self.artifacts / given["name"]
                shutil.rmtree(target, ignore_errors=True)
                left_out = [Path(p[1:]).name for p in paths[1:] if p.startswith("!")]
                shutil.copytree(source, target, ignore=lambda _, names: [n for n in names if n in left_out])
        elif kind == "actions/download-artifact":
            wanted = [p for p in self.artifacts.iterdir() if fnmatch.fnmatch(p.name, given.get("pattern") or given["name"])]
            for found in wanted:
                target = self.workspace / given["path"]
                shutil.copytree(found, target / found.name if "pattern" in given else target, dirs_exist_ok=True)
            return bool(wanted), {}
        elif kind != "actions/cache/restore":
            raise Failed(f"{place}: nothing here imitates '{uses}'")
        return True, {}


def needs(job):
    found = job.get("needs") or []
    return [found] if isinstance(found, str) else found


def git(folder, *arguments):
    done = subprocess.run(["git", *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"git {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout.strip()
