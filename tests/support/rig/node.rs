//! A node's log files, written as a container runtime writes them: `/var/log/containers` under a folder of the test.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

/// The log files of one node.
pub struct Node {
    containers: PathBuf,
}

impl Node {
    /// An empty node under `folder`.
    pub fn new(folder: &Path) -> Self {
        let containers = folder.join("var/log/containers");
        fs::create_dir_all(&containers).expect("a folder can be made");
        Self { containers }
    }

    /// The pattern of its log files.
    pub fn pattern(&self) -> String {
        self.containers.join("*.log").display().to_string()
    }

    /// What comes before the file's name in a tag `kube.*`: the path, with dots for slashes.
    pub fn tag_prefix(&self) -> String {
        format!("kube{}.", self.containers.display().to_string().replace('/', "."))
    }

    /// Appends `lines` in CRI form to the log of a container.
    pub fn append(&self, pod: &str, namespace: &str, container: &str, id: &str, lines: &[String]) {
        let path = self.containers.join(format!("{pod}_{namespace}_{container}-{id}.log"));
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file: File = file.expect("a log file can be opened");
        file.write_all((lines.join("\n") + "\n").as_bytes()).expect("a log file can be written");
    }

    /// Copies a log file, written elsewhere, to the node.
    pub fn adopt(&self, file: &Path) {
        let name = file.file_name().expect("a file has a name");
        fs::copy(file, self.containers.join(name)).expect("a log file can be copied");
    }
}
