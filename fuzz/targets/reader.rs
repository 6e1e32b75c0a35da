//! The msgpack reader: events and the rest are the input, each value is as long as another reader finds it.

#![no_main]

use flb_kube::record::msgpack::reader::{Events, Kind, Map, value_len};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut events = Events::new(data);
    let mut read = 0;
    for event in &mut events {
        assert!(!event.bytes.is_empty(), "an event without bytes would be read for ever");
        assert_eq!(event.bytes, &data[read..read + event.bytes.len()], "events lie back to back");
        read += event.bytes.len();
        if event.kind == Kind::Foreign {
            continue;
        }
        let head = event.head().len();
        assert!(event.metadata().len() <= head && head < event.bytes.len());
        let _ = event.time();
        if let Some(body) = event.body() {
            let pairs: Vec<_> = body.pairs().collect();
            assert_eq!(pairs.len(), body.len, "a body that was read whole has all its pairs");
            assert_eq!(pairs.iter().map(|pair| pair.bytes.len()).sum::<usize>(), body.entries.len());
            for pair in pairs {
                assert_eq!([pair.key, pair.value].concat(), pair.bytes);
                let _ = Map::of(pair.value).map(|map| map.get(b"log"));
            }
        }
    }
    assert_eq!(events.rest(), &data[read..], "what is no event is left whole");
    agrees(data);
});

/// Where the other reader finds a value, it has the length that ours says.
fn agrees(data: &[u8]) {
    let mut rest = data;
    if let Ok(value) = rmpv::decode::read_value_ref(&mut rest) {
        // The other one passes over the marker that stands for nothing.
        if !data.contains(&0xc1) {
            assert_eq!(value_len(data), Some(data.len() - rest.len()), "{value}");
        }
    }
    if let Some(len) = value_len(data) {
        assert!((1..=data.len()).contains(&len));
        assert_eq!(value_len(&data[..len]), Some(len), "a value needs nothing after it");
        assert_eq!(value_len(&data[..len - 1]), None, "a value that is cut is none");
    }
}
