//! What the inner loops allocate: a path that takes memory for each message is slow before anybody measures it.

#[path = "../bench/works.rs"]
mod works;

fn allocations(mut work: impl FnMut()) -> u64 {
    // Once for what is made at the first time and kept.
    work();
    allocation_counter::measure(work).count_total
}

#[test]
fn messages_pass_without_allocations() {
    let found = [
        ("write_envelope", allocations(works::write_envelope())),
        ("write_format", allocations(works::write_format())),
        ("split_line", allocations(works::split_line(2))),
    ];
    assert_eq!(found, [("write_envelope", 0), ("write_format", 0), ("split_line", 0)]);
}

#[test]
fn reading_an_envelope_allocates_its_list_of_headers_alone() {
    assert_eq!(allocations(works::read_envelope()), 1);
}

#[test]
fn reading_a_delivery_allocates_its_list_of_headers_and_its_properties_alone() {
    let found = [allocations(works::read_delivery()), allocations(works::read_delivery_as_json())];
    assert_eq!(found, [2, 2]);
}

/// Beside those of reading or making it: what is written of where it was, a list of headers, its header that is no text.
#[test]
fn a_message_for_another_system_takes_few_allocations() {
    let found = [
        ("a delivery to Kafka", allocations(works::to_kafka())),
        ("a record to AMQP", allocations(works::to_amqp(true))),
        ("a plain record to AMQP", allocations(works::to_amqp(false))),
    ];
    assert_eq!(found, [("a delivery to Kafka", 8), ("a record to AMQP", 3), ("a plain record to AMQP", 1)]);
}

/// prost-reflect hands out strings and messages by value: what it takes is not ours to save.
#[test]
fn a_response_is_written_with_what_its_reflection_takes() {
    let found = allocations(works::write_protojson());
    assert!(found <= 6, "{found} allocations");
}

#[test]
fn the_samples_are_what_they_say() {
    let mut out = Vec::new();
    mscomm::testing::envelope::write(&mut out, &works::message());
    let written = String::from_utf8(out).expect("UTF-8");
    let same = works::ENVELOPE.split(r#""value""#).next().expect("a beginning");
    assert!(written.starts_with(same), "{written}");
    assert_eq!(works::BODY.len(), 100);
}
