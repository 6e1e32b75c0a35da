//! Enriches one container line without a host: `cargo run --example enrich_line`.
//!
//! What the filter `kube` does for each chunk: a tag names the container, a pod's JSON gives the metadata, and the
//! splicer puts it into the record's bytes.

use flb_kube::{
    kube::{
        metadata::{self, Known, Layout},
        object::pod::Pod,
        origin::tag,
    },
    record::splice::{Lines, choose::Always, splice},
};

const TAG: &str = "kube.var.log.containers.web-7d9f_shop_nginx-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";
const POD: &str = r#"{
    "metadata": {"name": "web-7d9f", "namespace": "shop", "uid": "9a1c", "labels": {"app": "web"}},
    "spec": {"nodeName": "node-1"},
    "status": {"podIP": "10.0.0.7"}
}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut chunk = Vec::new();
    rmp::encode::write_array_len(&mut chunk, 2)?;
    rmp::encode::write_uint(&mut chunk, 1_795_228_958)?;
    rmp::encode::write_map_len(&mut chunk, 1)?;
    rmp::encode::write_str(&mut chunk, "log")?;
    rmp::encode::write_str(&mut chunk, "GET /cart 200")?;

    let parts =
        tag::parse(TAG.as_bytes(), "kube.var.log.containers.").ok_or("a tag of the kubelet's form")?;
    let pod: Pod = serde_json::from_str(POD)?;
    let fields =
        metadata::treatment(&Layout::default(), &parts, Known { pod: Some(&pod), ..Known::default() });

    let mut enriched = Vec::new();
    splice(&chunk, &Lines::default(), &mut Always(&fields), &mut enriched);
    println!("{}", rmpv::decode::read_value(&mut enriched.as_slice())?);
    Ok(())
}
