//! The container that a record comes from, as far as its tag, its own fields or the journal name it.
//!
//! Serves `enrich` and `metadata`; the readers beside it make it. Invariant: a name of a pod or a namespace is one that
//! the API allows, or the beginning of one where the reference says that it was cut.

/// Length of a container's id, in hex digits.
const ID_LEN: usize = 64;

/// A container. What is not known of it is empty or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRef {
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The container's name.
    pub container: Option<String>,
    /// The container's id.
    pub docker_id: Option<String>,
    /// The image's hash: only parsers of the operator's give it.
    pub container_hash: Option<String>,
    /// The pod's uid.
    pub uid: Option<String>,
    /// How often the container had been restarted when it wrote the file.
    pub restarts: Option<u32>,
    /// Where the name of the file was cut, if it was.
    pub cut: Option<Cut>,
}

/// Where a kubelet cut the name of a file that would have been too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// In the pod's name: only its beginning is known.
    Pod,
    /// In the namespace: only its beginning is known.
    Namespace,
    /// After it: this is the beginning of `<container>-<id>`.
    Container(String),
}

/// Reads tags of a form of the operator's own.
pub trait TagParser: Send + Sync {
    /// What `tag`, its prefix cut off, says; `None` if it does not match.
    fn parse(&self, tag: &[u8]) -> Option<ContainerRef>;
}

impl ContainerRef {
    /// From the named groups of a regex, by the names that the built-in filter knows. Of a name that comes twice the
    /// first counts.
    pub fn from_groups<'a>(groups: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut found = Self::default();
        for (name, value) in groups {
            let value =
                || Some(String::from_utf8_lossy(value).into_owned()).filter(|value| !value.is_empty());
            let slot = match name {
                "pod_name" if found.pod.is_empty() => {
                    found.pod = value().unwrap_or_default();
                    continue;
                }
                "namespace_name" if found.namespace.is_empty() => {
                    found.namespace = value().unwrap_or_default();
                    continue;
                }
                "container_name" => &mut found.container,
                "docker_id" => &mut found.docker_id,
                "container_hash" => &mut found.container_hash,
                _ => continue,
            };
            *slot = slot.take().or_else(value);
        }
        found
    }
}

/// Whether `text` is the id of a container: 64 digits and small letters. Runtimes write hex digits; the built-in filter
/// takes any letter.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_LEN && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

pub(crate) fn namespace_name(text: &str) -> Option<String> {
    let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    Some(text.to_owned()).filter(|text| {
        !text.is_empty() && text.bytes().all(is_label) && !text.starts_with('-') && !text.ends_with('-')
    })
}

/// The longest DNS name at the end of `text`: what stands before it belongs to the tag's own prefix.
pub(crate) fn pod_name(text: &str) -> Option<String> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let start = text.bytes().rposition(|b| !is_inner(b)).map_or(0, |at| at + 1);
    let name = text.get(start..)?;
    let is_between = |pair: &[u8]| matches!(pair, b".." | b".-" | b"-.");
    let start = name.as_bytes().windows(2).rposition(is_between).map_or(0, |at| at + 1);
    let name = name.get(start..)?.trim_start_matches(['-', '.']);
    (!name.is_empty() && !name.ends_with(['-', '.'])).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fill_what_they_name_and_the_first_of_a_name_counts() {
        let groups: [(&str, &[u8]); 5] = [
            ("namespace_name", b"shop"),
            ("pod_name", b"web"),
            ("pod_name", b"other"),
            ("container_hash", b""),
            ("container_id", b"unknown to the built-in"),
        ];
        let expected =
            ContainerRef { pod: "web".into(), namespace: "shop".into(), ..ContainerRef::default() };
        assert_eq!(ContainerRef::from_groups(groups), expected);
    }
}
