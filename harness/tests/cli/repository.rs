//! Git repositories made for a test: projects with a history.

use std::path::{Path, PathBuf};

use crate::support::{project, weighbridge};

/// A project folder that is a repository.
pub struct Project {
    folder: tempfile::TempDir,
    repository: git2::Repository,
}

impl Project {
    /// The committed baselines on branch `main`, as its first commit.
    pub fn new() -> Self {
        let folder = project();
        let mut options = git2::RepositoryInitOptions::new();
        let repository = git2::Repository::init_opts(folder.path(), options.initial_head("main")).unwrap();
        let mut config = repository.config().unwrap();
        config.set_str("user.name", "A Maintainer").unwrap();
        config.set_str("user.email", "maintainer@example.org").unwrap();
        let project = Self { folder, repository };
        project.write(".gitignore", "/fixtures\n/reports\n/target\n/runs\n");
        project.commit("Begin");
        project
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The repository.
    pub fn git(&self) -> &git2::Repository {
        &self.repository
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Changes a file; what is to be replaced must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "no '{from}' in '{path}'");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Commits all files that are not ignored; the commit, hexadecimal.
    pub fn commit(&self, message: &str) -> String {
        let mut index = self.repository.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.write().unwrap();
        let tree = self.repository.find_tree(index.write_tree().unwrap()).unwrap();
        let author = self.repository.signature().unwrap();
        let parents: Vec<_> = self.repository.head().ok().map(|h| h.peel_to_commit().unwrap()).into_iter().collect();
        let id = self.repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents.iter().collect::<Vec<_>>()).unwrap();
        id.to_string()
    }

    /// Begins a branch at HEAD and goes on there.
    pub fn branch(&self, name: &str) {
        let head = self.repository.head().unwrap().peel_to_commit().unwrap();
        self.repository.branch(name, &head, false).unwrap();
        self.repository.set_head(&format!("refs/heads/{name}")).unwrap();
    }

    /// A tag at HEAD.
    pub fn tag(&self, name: &str) {
        let head = self.repository.head().unwrap().peel_to_commit().unwrap();
        self.repository.tag_lightweight(name, head.as_object(), false).unwrap();
    }

    /// A command in the project.
    pub fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        command_in(self.root(), arguments)
    }

    /// Measures `int8` × `mlp-mnist` with a worker broken that way; the run file, which is kept apart.
    pub fn run(&self, sabotage: &str) -> PathBuf {
        let output = self.root().join("runs").join(sabotage);
        let mut command = self.command(&["run", "--quiet", "--kernel", "int8", "--fixture", "mlp-mnist", "--time-per-case", "5ms"]);
        command.arg("--output").arg(&output).arg("--worker").arg(crate::support::example("sabotaged_worker"));
        command.env("WEIGHBRIDGE_SABOTAGE", sabotage).assert().success();
        output.join("run.jsonl")
    }
}

/// A command in a project folder.
pub fn command_in(root: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = weighbridge();
    command.args(arguments).arg("--root").arg(root);
    command
}
