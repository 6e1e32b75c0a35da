//! Messages that are empty, and line ends that one runtime keeps and another does not.

use super::*;

on_both! {
    a_message_that_is_there_but_empty_is_a_blank
    a_line_is_the_same_message_whichever_runtime_wrote_it
}

fn a_message_that_is_there_but_empty_is_a_blank(server: &dyn Server) {
    let start = now();
    let bodies = [
        map(&[("stream", "stdout".into()), ("log", "".into())]),
        map(&[("stream", "stdout".into()), ("log", "\n".into())]),
        map(&[("msg", "".into()), ("status", 200.into())]),
        map(&[("log", "".into()), ("message", "there".into())]),
    ];
    for (account, protocol) in ["1", "2"].into_iter().zip(PROTOCOLS) {
        let chunk: Vec<u8> =
            bodies.iter().zip(start..).flat_map(|(body, time)| event(time, body.clone())).collect();
        let output = output(&server.url(), &[("protocol", protocol), ("account_id", account)]);
        assert_eq!(output.flush(&chunk), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        let messages: Vec<_> = rows.iter().map(|row| row.message()).collect();
        assert_eq!(messages, [" ", " ", " ", "there"], "{protocol}");
        assert_eq!(rows[2].field("status"), "200");
    }
}

fn a_line_is_the_same_message_whichever_runtime_wrote_it(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now());
    let texts = ["a line", "a line\n", "a line\r\n"];
    let bodies = texts.map(|text| map(&[("log", text.into())]));
    let chunk: Vec<u8> = bodies.into_iter().zip(start..).flat_map(|(body, time)| event(time, body)).collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let messages: Vec<_> = server.rows((0, 0)).iter().map(|row| row.message().to_owned()).collect();
    assert_eq!(messages, ["a line"; 3]);
}
