//! The options that lead from a record, instead of its tag, to its pod.
//!
//! Serves the filter. Invariant: options that can't lead to a pod refuse the start.

use super::options::RecordOptions;
use crate::{
    kube::origin::record_fields::{Fields, Paths, RecordForm},
    plugin::Refusal,
};

impl RecordOptions {
    /// How records name their pod; none where their tag does.
    pub(super) fn form(&self) -> Result<Option<RecordForm>, Refusal> {
        let keys = [
            ("lookup_pod_key", &self.pod_key),
            ("lookup_namespace_key", &self.namespace_key),
            ("lookup_container_key", &self.container_key),
            ("lookup_container_id_key", &self.container_id_key),
            ("lookup_pod_uid_key", &self.pod_uid_key),
        ];
        let mut paths = Vec::new();
        for (option, text) in keys {
            let text = text.as_deref().unwrap_or_default();
            paths.push(path(text).map_err(|why| Refusal::new(format!("option '{option}': '{text}' {why}")))?);
        }
        let Ok([pod, namespace, container, container_id, uid]) = <[_; 5]>::try_from(paths) else {
            return Ok(None);
        };
        let paths = Paths { pod, namespace, container, container_id, uid };
        let set = keys.iter().find(|(_, text)| text.is_some());
        match (set, self.use_journal) {
            (None, false) => Ok(None),
            (None, true) => Ok(Some(RecordForm::Journal)),
            (Some((option, _)), true) => Err(Refusal::new(format!(
                "option '{option}': use_journal has fields of its own; set one or the other"
            ))),
            (Some(_), false) => self.fields(&paths).map(Some),
        }
    }

    fn fields(&self, paths: &Paths) -> Result<RecordForm, Refusal> {
        let text = |key: &Option<String>| key.clone().unwrap_or_default();
        if !paths.pod.is_empty() && paths.namespace.is_empty() && paths.uid.is_empty() {
            return Err(Refusal::new(format!(
                "option 'lookup_pod_key': '{}' names a pod only together with its namespace; set \
                 lookup_namespace_key too",
                text(&self.pod_key)
            )));
        }
        let leads_somewhere =
            [&paths.pod, &paths.container_id, &paths.uid].iter().any(|path| !path.is_empty());
        if !leads_somewhere {
            return Err(Refusal::new(
                "option 'lookup_pod_key': without it, lookup_container_id_key or lookup_pod_uid_key the other \
                 lookup keys name no pod; set one of them",
            ));
        }
        Ok(RecordForm::Fields(Fields::new(paths)))
    }
}

/// The steps of `pod`, `kubernetes.pod_name`, `$kubernetes['pod_name']` or `$['k8s.pod.name']`.
fn path(text: &str) -> Result<Vec<String>, &'static str> {
    const FORM: &str =
        "is no way to a field; write field, map.field, $map['field'], or $['a field with dots']";
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(accessor) = text.strip_prefix('$') else {
        let steps: Vec<String> = text.split('.').map(str::to_owned).collect();
        return if steps.iter().any(String::is_empty) { Err(FORM) } else { Ok(steps) };
    };
    let (first, mut rest) = accessor.split_at(accessor.find('[').unwrap_or(accessor.len()));
    let mut steps: Vec<String> = (!first.is_empty()).then(|| first.to_owned()).into_iter().collect();
    while !rest.is_empty() {
        let inner = rest.strip_prefix("['").and_then(|rest| rest.split_once("']"));
        let (step, after) = inner.filter(|(step, _)| !step.is_empty()).ok_or(FORM)?;
        steps.push(step.to_owned());
        rest = after;
    }
    if steps.is_empty() { Err(FORM) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_a_field_may_be_written_in_three_forms() {
        for (text, steps) in [
            ("", vec![]),
            ("pod", vec!["pod"]),
            ("kubernetes.pod_name", vec!["kubernetes", "pod_name"]),
            ("$pod", vec!["pod"]),
            ("$kubernetes['pod_name']", vec!["kubernetes", "pod_name"]),
            ("$['k8s.pod.name']", vec!["k8s.pod.name"]),
            ("$a['b.c']['d']", vec!["a", "b.c", "d"]),
        ] {
            assert_eq!(path(text), Ok(steps.iter().map(ToString::to_string).collect()), "{text}");
        }
        for text in ["a..b", ".", "$", "$a[b]", "$a['b'", "$a['']", "$a['b']c"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
