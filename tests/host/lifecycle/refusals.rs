//! Refusing to start: unknown hosts, missing functions, misspelt keys, bad values; and what is never said.

use flb_kube_testing::{
    host::{FILTER, Host, INPUT, OUTPUT, Running, each},
    scenery::{STDOUT, Scenery, dummy, service},
};

/// The host ends by itself, not well, not by a crash; answers with the lines that have `text`, of which there is one.
fn refused(mut running: Running, host: &Host, text: &str) -> String {
    let status = running.wait_for_end();
    let log = running.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
    assert!(status.code().is_some_and(|code| code != 0), "{}: ended with {status}\n{log}", host.name);
    assert_eq!(lines.len(), 1, "{}: one line with '{text}':\n{log}", host.name);
    lines[0].to_owned()
}

#[test]
fn a_host_of_unknown_layout_is_refused_with_one_clear_line() {
    let scenery = Scenery::new();
    let filter = [service("info"), dummy("x"), scenery.filter(""), STDOUT.into()].concat();
    let input = [service("info"), scenery.events(""), STDOUT.into()].concat();
    for version in ["2.0.0", "5.1.1"] {
        for (flags, plugin, config) in [("filter=96", FILTER, &filter), ("input=240", INPUT, &input)] {
            let host = Host::stand_in(version).with(&["--struct-size", flags]);
            let running = host.start(config).plugins(&[plugin]).run();
            let line = refused(running, &host, "supports Fluent Bit");
            assert!(line.contains(&format!("this is Fluent Bit {version}")), "{line}");
            assert!(line.contains("2.0.0 to 5.1.1"), "{line}");
            assert!(line.contains(flags.split_once('=').unwrap().1), "{line}");
        }
    }
}

#[test]
fn a_host_whose_structs_kept_their_size_and_moved_their_fields_is_refused() {
    let scenery = Scenery::new();
    let filter = [service("info"), dummy("x"), scenery.filter(""), STDOUT.into()].concat();
    let input = [service("info"), scenery.events(""), STDOUT.into()].concat();
    for version in ["2.0.0", "3.2.0", "5.1.1"] {
        for (plugin, config) in [(FILTER, &filter), (INPUT, &input)] {
            let host = Host::stand_in(version).with(&["--swap-fields"]);
            let line = refused(host.start(config).plugins(&[plugin]).run(), &host, "supports Fluent Bit");
            assert!(line.contains("ordered otherwise"), "{line}");
        }
    }
}

#[test]
fn a_host_without_a_needed_function_is_told_which() {
    let scenery = Scenery::new();
    let filter = [service("info"), dummy("x"), scenery.filter(""), STDOUT.into()].concat();
    let input = [service("info"), scenery.events(""), STDOUT.into()].concat();
    let output = [service("info"), dummy("x"), scenery.output("")].concat();
    let cases = [
        ("flb_filter_get_property", FILTER, &filter),
        ("flb_filter_set_context", FILTER, &filter),
        ("flb_input_log_append_records", INPUT, &input),
        ("flb_input_set_collector_event", INPUT, &input),
        ("flb_output_name", OUTPUT, &output),
    ];
    for (symbol, plugin, config) in cases {
        let host = Host::stand_in("4.1.0").with(&["--without", symbol]);
        let line = refused(host.start(config).plugins(&[plugin]).run(), &host, "does not export");
        assert!(line.contains(symbol), "{line}");
    }
}

#[test]
fn a_host_without_a_log_still_runs_and_refuses() {
    let scenery = Scenery::new();
    let config = [service("info"), dummy("x"), scenery.filter(""), STDOUT.into()].concat();
    let host = Host::stand_in("5.1.1").with(&["--without", "flb_log_print"]);
    let line = refused(host.start(&config).plugins(&[FILTER]).run(), &host, "does not export");
    assert!(line.contains("flb_log_print"), "{line}");
}

#[test]
fn a_misspelt_key_of_a_native_plugin_stops_the_start_and_lists_the_valid_ones() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let filter = [service("info"), dummy("x"), scenery.filter("    Lables on\n"), STDOUT.into()].concat();
        let input = [service("info"), scenery.events("    Kube_Namspace shop\n"), STDOUT.into()].concat();
        for (plugin, config, wrong, right) in
            [(FILTER, filter, "Lables", " labels,"), (INPUT, input, "Kube_Namspace", " kube_namespace,")]
        {
            let line =
                refused(host.start(&config).plugins(&[plugin]).run(), host, "unknown configuration property");
            assert!(
                line.to_lowercase().contains(&format!("'{}'", wrong.to_lowercase())),
                "{}: {line}",
                host.name
            );
            assert!(line.contains(right), "{}: {line}", host.name);
        }
    });
}

#[test]
fn a_misspelt_key_of_the_output_stops_the_start_and_lists_the_valid_ones() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let config = [service("info"), dummy("x"), scenery.output("    Stream_Feilds a\n")].concat();
        let running = host.start(&config).plugins(&[OUTPUT]).run();
        let line = refused(running, host, "unknown configuration property");
        assert!(line.to_lowercase().contains("'stream_feilds'"), "{}: {line}", host.name);
        assert!(line.contains(" stream_fields,"), "{}: {line}", host.name);
    });
}

#[test]
fn hosts_that_do_not_check_the_outputs_keys_have_it_said_which_have_no_effect() {
    let hosts = Host::all().into_iter().filter(|host| host.version < (5, 1, 1)).collect();
    each(hosts, |host| {
        let scenery = Scenery::new();
        let config = [service("info"), dummy("said"), scenery.output("")].concat();
        let mut running = host.start(&config).plugins(&[OUTPUT]).run();
        running.wait("a record is delivered", |_| scenery.rows_with("said") > 0);
        let log = running.log();
        let said = log.lines().find(|line| line.contains("have no effect"));
        for key in ["host", "port", "tls", "net."] {
            assert!(said.is_some_and(|line| line.contains(key)), "{}: {key}\n{log}", host.name);
        }
        running.stop();
    });
}

#[test]
fn a_key_that_is_no_list_and_is_written_twice_is_refused_by_name() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let twice = |key: &str| format!("    {key} 1\n    {key} 2\n");
        let cases = [
            (
                FILTER,
                "db_max_pods",
                [service("info"), dummy("x"), scenery.filter(&twice("Db_Max_Pods")), STDOUT.into()].concat(),
            ),
            (
                INPUT,
                "kube_request_limit",
                [service("info"), scenery.events(&twice("Kube_Request_Limit")), STDOUT.into()].concat(),
            ),
            (OUTPUT, "threads", [service("info"), dummy("x"), scenery.output(&twice("Threads"))].concat()),
        ];
        for (plugin, key, config) in cases {
            let mut running = host.start(&config).plugins(&[plugin]).run();
            let status = running.wait_for_end();
            let log = running.log().to_lowercase();
            assert!(status.code().is_some_and(|code| code != 0), "{}: {status}\n{log}", host.name);
            assert!(log.lines().any(|line| line.contains(&format!("'{key}'"))), "{}: {log}", host.name);
        }
    });
}

#[test]
fn a_bad_value_is_named_with_its_key_and_the_reason_and_stops_the_start() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        let cases = [
            (
                FILTER,
                [service("info"), dummy("x"), scenery.filter("    Delete_Grace soon\n"), STDOUT.into()]
                    .concat(),
                ["'delete_grace'", "'soon'", "is not a time"],
            ),
            (
                INPUT,
                [service("info"), scenery.events("    Kube_Request_Limit many\n"), STDOUT.into()].concat(),
                ["'kube_request_limit'", "'many'", "is not a whole number"],
            ),
            (
                OUTPUT,
                [service("info"), dummy("x"), scenery.output("    Threads none\n")].concat(),
                ["'threads'", "'none'", "is not a whole number"],
            ),
        ];
        for (plugin, config, parts) in cases {
            let line = refused(host.start(&config).plugins(&[plugin]).run(), host, parts[0]);
            assert!(parts.iter().all(|part| line.contains(part)), "{}: {line}", host.name);
        }
    });
}

#[test]
fn secrets_reach_no_log_at_any_level() {
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        scenery.api.require_token("api-secret-1");
        let outputs = [
            scenery.output("    Http_User u\n    Http_Passwd sink-secret-2\n"),
            scenery.output("    Bearer_Token sink-secret-3\n"),
            scenery.output("    Header X-Key: sink-secret-4\n"),
        ]
        .concat();
        let token = "    Kube_Token_File FOLDER/token\n";
        let failing =
            "    Alias failing\n    Kube_Token_Command echo api-secret-5 >&2; exit 3\n    Wait_For_Sync 1\n";
        let filters = [scenery.filter(token), scenery.filter(failing)].concat();
        let config = [service("trace"), dummy("hello"), filters, outputs].concat();
        let mut running = host.start(&config).file("token", "api-secret-1").run();
        running.wait("all three outputs deliver", |_| scenery.rows_with("hello") >= 6);
        running.wait_for_lines("kube_token_command: it failed", 1);
        running.stop();
        for line in running.log().lines() {
            assert!(!line.contains("-secret-"), "{}: {line}", host.name);
        }
    });
}

#[test]
fn a_threaded_input_that_would_lose_events_is_refused_by_name() {
    let scenery = Scenery::new();
    let config = [service("info"), scenery.events("    Threaded on\n"), STDOUT.into()].concat();
    each(Host::all(), |host| {
        let mut running = host.start(&config).plugins(&[INPUT]).run();
        // Real hosts before 4 wait for ever for a threaded input that does not start, whichever it is.
        running.wait_for_lines("option 'threaded': 'on' would lose events", 1);
        if !host.is_real {
            refused(running, host, "set it to off");
        }
    });
}

#[test]
fn one_file_for_the_filter_and_the_input_is_told_with_what_to_do() {
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        let db = "    Db FOLDER/one.db\n";
        let config =
            [service("info"), dummy("hello"), scenery.events(db), scenery.filter(db), scenery.output("")];
        let mut running = host.start(&config.concat()).run();
        running.wait_for_lines("give each db option a file of its own", 1);
        running.wait("a record is delivered", |_| scenery.rows_with("hello") > 0);
        running.stop();
    });
}
