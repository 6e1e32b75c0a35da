//! `docs/options.md` is what the option rows say today. `make docs` writes it anew: BLESS=1 and this test.

use std::{env, fs, path::Path};

use flb_kube::{
    options::{OptionSpec, Options},
    plugin::{Filter, Input, Output},
    plugins::{filter_kube::KubeFilter, in_kube_events::KubeEvents, out_victorialogs::VictoriaLogs},
};

#[test]
fn the_reference_says_what_the_rows_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    let reference = reference();
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, reference).unwrap();
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == reference, "docs/options.md is out of date: run make docs");
}

fn reference() -> String {
    let mut text = String::from(
        "# Options\n\nMade from the option rows by `make docs`. Keys are written in any case. The options that the host \
         itself reads, such as\n`Match`, `Tag`, `Alias`, `Log_Level` and `Retry_Limit`, work as with any plugin.\n\nA list is \
         written with commas, in several rows, or as a list of YAML; with blanks too, where they can't be part of a \
         name. Any other option is written once.\n",
    );
    section(
        &mut text,
        "FILTER",
        KubeFilter::NAME,
        KubeFilter::DESCRIPTION,
        specs::<<KubeFilter as Filter>::Options>(),
    );
    section(
        &mut text,
        "INPUT",
        KubeEvents::NAME,
        KubeEvents::DESCRIPTION,
        specs::<<KubeEvents as Input>::Options>(),
    );
    section(
        &mut text,
        "OUTPUT",
        VictoriaLogs::NAME,
        VictoriaLogs::DESCRIPTION,
        specs::<<VictoriaLogs as Output>::Options>(),
    );
    text
}

fn specs<O: Options>() -> &'static [OptionSpec] {
    O::SPECS
}

fn section(text: &mut String, kind: &str, name: &str, description: &str, specs: &[OptionSpec]) {
    *text += &format!("\n## [{kind}] Name {name}\n\n{description}.\n\n");
    text.push_str("| option | type | default | meaning |\n|---|---|---|---|\n");
    for spec in specs {
        let default = if spec.default.is_empty() { String::new() } else { format!("`{}`", spec.default) };
        let words: Vec<String> = spec.words.iter().map(|word| format!("`{word}`")).collect();
        let kind = if words.is_empty() { spec.kind.word().to_owned() } else { words.join(", ") };
        let doc = spec.doc.trim().replace('|', "\\|");
        *text += &format!("| `{}` | {kind} | {default} | {doc} |\n", spec.key);
    }
}
