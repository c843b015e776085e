"""What is tried with the workflows that `init` writes, each in a repository on this machine."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from runner import Failed, Runner, git

MARKER = "<!-- weighbridge: suite mini -->"


class Scenarios:
    def __init__(self, folder, written, program, sources):
        self.folder, self.written, self.program, self.sources = folder, written, program, sources
        self.runners, self.gitlab_run = [], []
        bin_folder = folder / "runs/bin"
        bin_folder.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "gh.py", bin_folder / "gh")
        (bin_folder / "gh").chmod(0o755)
        # As the job that builds leaves it for GitLab's other jobs.
        (folder / "built").mkdir()
        (folder / "built/weighbridge").symlink_to(program)
        self.state = folder / "runs/gh"
        self.state.mkdir()
        (folder / "runs/home").mkdir()
        self.origin = self.repository(written["github"], "origin.git")

    def repository(self, tree, name):
        """A bare repository with that tree on `main`."""
        git(tree, "init", "--quiet", "--initial-branch=main")
        git(tree, "config", "user.name", "A Maintainer")
        git(tree, "config", "user.email", "maintainer@example.org")
        git(tree, "add", ".")
        git(tree, "commit", "--quiet", "--message", "Weigh compression")
        origin = self.folder / name
        git(self.folder, "clone", "--quiet", "--bare", tree, origin)
        git(origin, "config", "receive.advertisePushOptions", "true")
        git(tree, "remote", "add", "origin", origin)
        return origin

    def runner(self, **given):
        runner = Runner(self.folder / "runs", self.origin, self.sources, self.program, **given)
        runner.runs = sum(r.runs for r in self.runners)
        self.runners.append(runner)
        return runner

    def workflow(self, name):
        return self.written["github"] / ".github/workflows" / name

    def say(self, what):
        print(f"ok    {what}", flush=True)

    def expect(self, holds, what, runner=None):
        if not holds:
            last = runner.ran[-1] if runner and runner.ran else ("", "", "", "", "")
            raise Failed(f"not so: {what}\n{last[0]}: {last[1]} ended with {last[2]}\n{last[3][-3000:]}\n{last[4][-3000:]}")
        self.say(what)

    def run(self):
        self.refresh("mini")
        self.refresh("full")
        self.gates()
        self.comments()
        self.full()
        self.no_copy()
        self.gitlab()

    def attempt(self, runner, *arguments, **given):
        try:
            return runner.workflow(*arguments, **given)
        except Failed as failure:
            bad = next((r for r in reversed(runner.ran) if r[2] != 0), runner.ran[-1])
            raise Failed(f"{failure}\n{bad[0]}: {bad[1]} ended with {bad[2]}\n{bad[3][-3000:]}\n{bad[4][-3000:]}") from failure

    def created(self):
        path = self.state / "created.json"
        return json.loads(path.read_text()) if path.exists() else []

    def refresh(self, suite):
        before = len(self.created())
        runner = self.runner(inputs={"suite": suite, "reason": "the first values; $(touch injected) `touch injected`"})
        self.attempt(runner, self.workflow("refresh.yml"), "workflow_dispatch")
        proposal = self.created()[-1]
        fits = len(self.created()) == before + 1 and proposal["--title"] == f"Refresh the baseline of suite {suite}" and proposal["--base"] == "main"
        self.expect(fits and "new" in proposal["body"] and "the first values" in proposal["body"], f"refresh.yml proposes a baseline of suite {suite}, with its table", runner)
        self.expect(not list((self.folder / "runs").rglob("injected")), f"the reason given for suite {suite} is text and no command")
        tree = self.written["github"]
        git(tree, "fetch", "--quiet", "origin")
        git(tree, "merge", "--quiet", "--ff-only", f"origin/{proposal['--head']}")
        git(tree, "push", "--quiet", "origin", "main")

    def branch(self, name, path, change):
        """A branch of one change to a file, pushed."""
        tree = self.written["github"]
        git(tree, "switch", "--quiet", "--create", name, "main")
        (tree / path).write_text(change((tree / path).read_text()) if (tree / path).exists() else change(""))
        git(tree, "add", path)
        git(tree, "commit", "--quiet", "--message", f"Change {path}")
        git(tree, "push", "--quiet", "origin", name)
        commit = git(tree, "rev-parse", "HEAD")
        git(tree, "switch", "--quiet", "main")
        return commit

    def gates(self):
        self.commit = self.branch("innocent", "NOTES.md", lambda text: text + "a note\n")
        runner = self.runner(ref="innocent")
        self.attempt(runner, self.workflow("gate.yml"), "pull_request", base_ref="main")
        reports = runner.artifacts / "weighbridge-reports"
        names = {p.name for p in reports.iterdir()}
        self.text = (reports / "pr.md").read_text()
        self.expect({"pr.md", "report.html", "report.json", "junit.xml", "run.jsonl"} <= names and "scratch" not in names, "gate.yml keeps the reports", runner)
        self.expect(self.text.endswith(MARKER + "\n") and json.loads((reports / "report.json").read_text())["outcome"] == "pass", "an innocent pull request passes", runner)
        self.branch("loosened", "baselines/policy.toml", lambda text: text.replace('"zstd", ', "", 1).replace("relative-tolerance = 0.001", "relative-tolerance = 0.9", 1))
        runner = self.runner(ref="loosened")
        self.attempt(runner, self.workflow("gate.yml"), "pull_request", base_ref="main", expect="failure")
        codes = [r[2] for r in runner.ran if r[1] == "Weigh"]
        text = (reports / "pr.md").read_text()
        self.expect(codes == [4] and "|missing|zstd|" in text and "relative tolerance 0.9" in text, "one that drops a kernel and loosens the policy fails, and its reports say so", runner)

    def post(self, text, **changed):
        """Runs comment.yml for a gate's run that kept this text; the comments there are then, and the runner."""
        kept = self.state / "zip"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        (kept / "pr.md").write_bytes(text if isinstance(text, bytes) else text.encode())
        (kept / "number").write_text("1")
        head = {"label": "fork:innocent", "sha": self.commit}
        (self.state / "pulls.json").write_text(json.dumps([{"number": 7, "head": head, "base": {"repo": {"full_name": "owner/project"}}}]))
        artifact = {"id": 5, "name": "weighbridge-reports", "expired": False, "size_in_bytes": 1000, **changed.pop("artifact", {})}
        (self.state / "artifacts.json").write_text(json.dumps([artifact]))
        run = {
            "event": "pull_request", "conclusion": "success", "id": 77, "html_url": "https://example.org/run", "head_sha": self.commit,
            "head_branch": "innocent", "head_repository": {"owner": {"login": "fork"}, "full_name": "fork/project"}, **changed,
        }
        runner = self.runner(event={"workflow_run": run})
        self.attempt(runner, self.workflow("comment.yml"), "workflow_run")
        path = self.state / "comments.json"
        return json.loads(path.read_text()) if path.exists() else [], runner

    def comments(self):
        foreign = {"id": 1, "user": {"login": "somebody"}, "body": f"quoted {MARKER}"}
        (self.state / "comments.json").write_text(json.dumps([foreign]))
        found, runner = self.post(self.text)
        self.expect(len(found) == 2 and "Written by [this run]" in found[1]["body"] and MARKER in found[1]["body"], "comment.yml posts what the gate wrote", runner)
        hostile = f"hello @everybody ![x](https://example.org/x.png) <img src=x>\n{MARKER}\n"
        found, runner = self.post(hostile)
        body = found[1]["body"]
        self.expect(len(found) == 2 and found[0] == foreign, "a later run replaces its own comment and nobody else's", runner)
        self.expect("@everybody" not in body and "@\u200beverybody" in body and "![" not in body and "<img" not in body, "a text cannot mention, and shows no pictures", runner)
        refused = {
            "without a marker": self.text.replace(MARKER, ""),
            "with a command for a marker": f"text\n<!-- weighbridge: suite $(touch injected) -->\n",
            "that is too long": "x" * 70_000 + f"\n{MARKER}\n",
            "that is no text": b"\xff\xfe\x00" + f"\n{MARKER}\n".encode(),
        }
        for what, text in refused.items():
            after, runner = self.post(text)
            self.expect(after == found, f"a text {what} is not posted", runner)
        for what, changed in {"whose commit heads no pull request": {"head_sha": "1" * 40}, "of another branch": {"head_branch": "$(touch injected)"}, "with a huge artifact": {"artifact": {"size_in_bytes": 10**9}}}.items():
            after, runner = self.post(self.text, **changed)
            self.expect(after == found, f"a run {what} posts nothing", runner)
        self.expect(not list((self.folder / "runs").rglob("injected")), "nothing that a run says is carried out")
        results = self.attempt(self.runner(event={"workflow_run": {"event": "push", "conclusion": "success"}}), self.workflow("comment.yml"), "workflow_run")
        self.expect(results == {"comment": "skipped"}, "a run that is no pull request's posts nothing")

    def full(self):
        runner = self.runner()
        self.attempt(runner, self.workflow("full.yml"), "schedule")
        report = json.loads((runner.artifacts / "weighbridge-full/report.json").read_text())
        shards = [p.name for p in runner.artifacts.glob("weighbridge-shard-*")]
        self.expect(report["outcome"] == "pass" and len(shards) == 4, "full.yml measures four shards, joins them, and passes by the refreshed baseline", runner)

    def no_copy(self):
        tree = self.written["github"]
        text = (tree / ".weighbridge-version").read_text()
        self.branch("nameless", ".weighbridge-version", lambda _: "\n".join(l for l in text.splitlines() if l.startswith("#")) + "\n")
        runner = self.runner(ref="nameless")
        self.attempt(runner, self.workflow("gate.yml"), "pull_request", base_ref="main", expect="failure")
        self.expect(runner.ran[-1][2] == 2 and "::error file=.weighbridge-version" in runner.ran[-1][3], "a repository that names no copy of Weighbridge is told so", runner)

    def gitlab(self):
        """The scripts of the jobs, in the order of a merge request's, a schedule's and a refresh's pipeline."""
        tree = self.written["gitlab"]
        origin = self.repository(tree, "gitlab.git")
        jobs = yaml.safe_load((tree / ".gitlab/weighbridge.yml").read_text())
        home = self.folder / "runs/home"
        address = "https://weighbridge:a-token@gitlab.example.org/owner/project.git"
        git(tree, "config", "--file", home / ".gitconfig", f"url.{origin}.insteadOf", address)
        base = {
            "PATH": f"{self.folder / 'built'}:{os.environ['PATH']}", "HOME": str(home), "CI": "true", "CI_PROJECT_DIR": str(tree), "CI_SERVER_HOST": "gitlab.example.org",
            "CI_PROJECT_PATH": "owner/project", "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_ID": "9", "WEIGHBRIDGE_TOKEN": "a-token", "LANG": "C.UTF-8",
            "WEIGHBRIDGE_CACHE": str(self.folder / "cache"),
        }

        def script(name, **more):
            text = "\n".join(jobs[name]["script"])
            done = subprocess.run(["bash", "-c", text], cwd=tree, env={**base, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.gitlab_run.append(name)
            if done.returncode != 0:
                raise Failed(f"GitLab's {name} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")

        for suite in ("mini", "full"):
            script("weighbridge-refresh", WEIGHBRIDGE_REFRESH=suite, CI_PIPELINE_ID=f"9{suite}")
            git(tree, "push", "--quiet", "origin", f"refresh-{suite}-9{suite}:main")
        self.expect((tree / "baselines/mini.jsonl").exists(), "GitLab's refresh pushes branches with new baselines")
        git(tree, "switch", "--quiet", "--create", "change")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", "Change nothing")
        script("weighbridge-gate", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
        self.expect((tree / "reports/junit.xml").exists(), "GitLab's gate passes and writes what the platform shows")
        for shard in range(1, 5):
            script("weighbridge-shard", CI_NODE_INDEX=str(shard), CI_NODE_TOTAL="4")
        script("weighbridge-full")
        self.say("GitLab's shards are joined and pass")

    def count(self):
        return sum(len(r.ran) for r in self.runners) + len(self.gitlab_run)

    def not_run(self):
        """Lines of what was left out, each once."""
        seen = {}
        for runner in self.runners:
            for place, label, why in runner.skipped:
                seen.setdefault((label, why), place)
        ran = {r[1] for runner in self.runners for r in runner.ran}
        platform = {label for label, why in seen if why.startswith("the platform's")}
        lines = [f"{label} ({place}): {why}" for (label, why), place in seen.items() if label not in ran and (label in platform) == why.startswith("the platform's")]
        lines = [line.replace("its condition does not hold", "a hit of the cache stands for it, because it takes as long as any build of the program") for line in lines]
        lines.append("ci.yml: .ci/run, which takes as long as all of CI; run it by itself. Its other step prints the toolchain's version")
        lines.append("weighbridge-build (GitLab): 'cargo install' from a repository on the network")
        lines.append("this repository's own gate.yml, full.yml and refresh.yml: the same text as those that were run, but for the options of the gate")
        return lines
