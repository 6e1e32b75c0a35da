//! A real VictoriaLogs with flags of its own.

use super::*;

fn real(flags: &[&str]) -> Option<RealServer> {
    let server = RealServer::start(flags);
    if server.is_none() {
        eprintln!("skipped: a VictoriaLogs with {flags:?}: none found, set VICTORIA_LOGS");
    }
    server
}

#[test]
fn credentials_are_checked() {
    let Some(server) = real(&["-httpAuth.username=me", "-httpAuth.password=secret"]) else { return };
    let chunk = line(now(), "m");
    assert_eq!(output(&server.url(), &[]).flush(&chunk), Flushed::Retry);
    let options = [("http_user", "me"), ("http_passwd", "secret")];
    assert_eq!(output(&server.url(), &options).flush(&chunk), Flushed::Done);
}

#[test]
fn a_full_disk_and_a_wrong_path_are_tried_again() {
    let Some(server) = real(&["-storage.minFreeDiskSpaceBytes=9000GB"]) else { return };
    for protocol in PROTOCOLS {
        let output = output(&server.url(), &[("protocol", protocol)]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
        assert_eq!(output.count(Reason::Refused), 0);
    }
    let wrong = output(&format!("{}/wrong", server.url()), &[]);
    assert_eq!(wrong.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(wrong.count(Reason::Refused), 0);
}
