//! The main job from end to end: objects in an API server, log files on a node, a host with the three plugins, and
//! rows that can be queried.
//!
//! Shows that every line arrives once, in order within its stream, with its pod's metadata, and every event once; on
//! each host that this machine has, with real servers and with stand-ins. What is missing is named on the roster.

use flb_kube_testing::{
    rig::{cluster::Cluster, host::Host, logs::Logs},
    scene::Scene,
    servers::roster,
};

#[test]
fn lines_and_events_arrive_through_the_stand_in_host_with_stand_in_servers() {
    Scene::new("standin-standin", Cluster::stand_in(), Logs::stand_in()).plays_on(&Host::stand_in());
}

#[test]
fn lines_and_events_arrive_through_the_stand_in_host_with_real_servers() {
    if let Some((cluster, logs)) = real_servers("the stand-in host") {
        Scene::new("standin-real", cluster, logs).plays_on(&Host::stand_in());
    }
}

#[test]
fn lines_and_events_arrive_through_every_fluent_bit_with_stand_in_servers() {
    for (number, host) in fluent_bits().iter().enumerate() {
        let name = format!("host{number}-standin");
        Scene::new(&name, Cluster::stand_in(), Logs::stand_in()).plays_on(host);
    }
}

#[test]
fn lines_and_events_arrive_through_every_fluent_bit_with_real_servers() {
    for (number, host) in fluent_bits().iter().enumerate() {
        if let Some((cluster, logs)) = real_servers(&host.name()) {
            Scene::new(&format!("host{number}-real"), cluster, logs).plays_on(host);
        }
    }
}

#[test]
fn lines_arrive_with_what_the_tag_says_where_the_api_server_grants_no_rights() {
    let Some(Cluster::Real(kubernetes)) = Cluster::real() else { return };
    let logs = Logs::real().unwrap_or_else(Logs::stand_in);
    let scene = Scene::new("without-rights", Cluster::Real(kubernetes), logs);
    scene.plays_without_rights_on(&Host::stand_in(), kubernetes);
}

fn fluent_bits() -> Vec<Host> {
    let hosts = Host::real();
    if hosts.is_empty() {
        roster::skipped(
            "end to end on Fluent Bit",
            "no fluent-bit in FLUENT_BIT, on PATH or in /opt/fluent-bit*",
        );
    }
    hosts
}

/// Both servers real, or as many as there are: the roster tells which.
fn real_servers(host: &str) -> Option<(Cluster, Logs)> {
    let (cluster, logs) = (Cluster::real(), Logs::real());
    if cluster.is_none() && logs.is_none() {
        roster::skipped(&format!("end to end on {host} with real servers"), "there is none on this machine");
        return None;
    }
    Some((cluster.unwrap_or_else(Cluster::stand_in), logs.unwrap_or_else(Logs::stand_in)))
}
