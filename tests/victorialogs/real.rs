//! A real VictoriaLogs with flags of its own.

use super::*;

#[test]
fn credentials_are_checked() {
    let Some(server) = RealServer::start(&["-httpAuth.username=me", "-httpAuth.password=secret"]) else {
        return;
    };
    let chunk = line(now(), "m");
    assert_eq!(output(&server.url(), &[]).flush(&chunk), Flushed::Retry);
    let options = [("http_user", "me"), ("http_passwd", "secret")];
    assert_eq!(output(&server.url(), &options).flush(&chunk), Flushed::Done);
}

#[test]
fn a_full_disk_and_a_wrong_path_are_tried_again() {
    let Some(server) = RealServer::start(&["-storage.minFreeDiskSpaceBytes=9000GB"]) else { return };
    for protocol in PROTOCOLS {
        let output = output(&server.url(), &[("protocol", protocol)]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
        assert_eq!(output.count(Reason::Refused), 0);
    }
    let wrong = output(&format!("{}/wrong", server.url()), &[]);
    assert_eq!(wrong.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(wrong.count(Reason::Refused), 0);
}
