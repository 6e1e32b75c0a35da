//! The host's workers, on which flushes wait: each output has its own, made once.

use flb_kube_testing::{
    host::{Host, OUTPUT, each},
    scenery::{Scenery, dummy, service},
};

#[test]
fn each_output_gets_workers_once_and_the_operators_number_stands() {
    // Only real hosts say which workers started.
    each(Host::real(), |host| {
        let scenery = Scenery::new();
        let config = [
            service("info"),
            dummy("hello"),
            scenery.output("    Extra_Fields via=first\n"),
            scenery.output("    Extra_Fields via=second\n"),
            scenery.output("    Alias asked\n    Workers 3\n    Extra_Fields via=asked\n"),
        ]
        .concat();
        let mut running = host.start(&config).plugins(&[OUTPUT]).run();
        running.wait("all three deliver", |_| {
            let rows = scenery.sink.rows();
            ["first", "second", "asked"].iter().all(|name| rows.iter().any(|row| row.field("via") == *name))
        });
        let started = |output: &str, worker: u32| {
            running.count(&format!("[output:victorialogs:{output}] worker #{worker} started"))
        };
        for output in ["victorialogs.0", "victorialogs.1"] {
            assert_eq!([0, 1, 2].map(|worker| started(output, worker)), [1, 1, 0], "{output}: {}", host.name);
        }
        assert_eq!([0, 1, 2, 3].map(|worker| started("asked", worker)), [1, 1, 1, 0], "{}", host.name);
        running.stop();
    });
}
