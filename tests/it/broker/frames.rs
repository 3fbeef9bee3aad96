//! Frames that are wrong, or come out of turn.

use super::script::same;

#[test]
fn an_unknown_method() {
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\xc8\xce
        0 end",
    );
}

#[test]
fn a_method_that_is_cut_short_or_too_long() {
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x06\x00\x32\x00\x0a\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x07\x00\x14\x00\x0a\x00\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x02\x00\x32\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x00\xce
        0 end",
    );
}

#[test]
fn a_wrong_end_of_a_frame() {
    same(
        r"1 sync
        raw \x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x14\x01\xcd
        0 end",
    );
}

#[test]
fn an_unknown_type_of_frame() {
    same(
        r"1 sync
        raw \x04\x00\x01\x00\x00\x00\x05\x00\x14\x00\x14\x01\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x04\x00\x00\x00\x00\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x00\x00\x00\x00\x00\x00\x00\xce
        0 end",
    );
}

#[test]
fn a_frame_that_is_too_large() {
    // RabbitMQ looks at the length before the payload has come, and bears 8 octets too many.
    for size in [r"\x00\x02\x00\x01", r"\xff\xff\xff\xff", r"\x7f\xff\xff\xff"] {
        same(&format!("1 sync\n raw \\x01\\x00\\x01{size}\n 0 end"));
        same(&format!("1 sync\n raw \\x03\\x00\\x00{size}\n 0 end"));
    }
}

#[test]
fn a_heartbeat_on_a_channel_or_with_a_payload() {
    same(
        r"1 sync
        raw \x08\x00\x00\x00\x00\x00\x00\xce
        1 sync",
    );
    same(
        r"1 sync
        raw \x08\x00\x01\x00\x00\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x08\x00\x00\x00\x00\x00\x01x\xce
        1 sync",
    );
}

#[test]
fn content_out_of_turn() {
    // A header and a body that no method announced.
    same(
        r"1 sync
        raw \x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x03\x00\x01\x00\x00\x00\x01x\xce
        0 end",
    );
    // On the channel 0.
    same(
        r"1 sync
        raw \x02\x00\x00\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce
        0 end",
    );
    same(
        r"1 sync
        raw \x03\x00\x00\x00\x00\x00\x01x\xce
        0 end",
    );
    // On a channel that is not open.
    same(
        r"1 sync
        raw \x03\x00\x07\x00\x00\x00\x01x\xce
        0 end",
    );
}

const PUBLISH: &str = r"\x01\x00\x01\x00\x00\x00\x0a\x00\x3c\x00\x28\x00\x00\x00\x01q\x00\xce";

#[test]
fn a_publish_without_its_header_or_body() {
    // A method instead of the header; a body; a header of another class; a method instead of the body; a second header.
    for rest in [
        r"\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x14\x01\xce",
        r"\x03\x00\x01\x00\x00\x00\x01x\xce",
        r"\x02\x00\x01\x00\x00\x00\x0e\x00\x32\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce",
        r"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x14\x01\xce",
        r"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xce",
    ] {
        same(&format!("1 sync\n raw {PUBLISH}{rest}\n 0 end"));
    }
}

#[test]
fn empty_body_frames_are_nothing() {
    let header = r"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xce";
    let empty = r"\x03\x00\x01\x00\x00\x00\x00\xce";
    let one = r"\x03\x00\x01\x00\x00\x00\x01x\xce";
    same(&format!("1 confirm.select\n raw {PUBLISH}{header}{empty}{one}{empty}{one}\n 1 confirms 1\n 1 sync"));
}
