//! Long chains, which a broker that follows them by recursion does not survive, and long lines that go back.

use super::hostile::attack;

const LENGTH: usize = 1000;

#[test]
fn dead_letters_along_a_chain_of_queues() {
    let trace = attack(|session| {
        session.script("1 queue.declare queue=$end exclusive");
        let name = |i: usize| if i == LENGTH { "$end".to_owned() } else { format!("$q{i}") };
        for i in 0..LENGTH {
            session.step(&format!(
                "send 1 queue.declare queue={} exclusive nowait arguments={{x-max-length=I:0 x-dead-letter-exchange=S:\"\" \
                 x-dead-letter-routing-key=S:{}}}",
                name(i),
                name(i + 1)
            ));
        }
        session.script("1 basic.publish routing_key=$q0 | | x\n 1 queue $end 1 0");
    });
    assert!(trace.contains("a 1 queue $end messages=1 consumers=0"), "it did not arrive");
}

#[test]
fn exchanges_that_delete_themselves_one_after_the_other() {
    let trace = attack(|session| {
        session.script("1 queue.declare queue=$q exclusive");
        for i in 0..LENGTH {
            session.step(&format!("send 1 exchange.declare exchange=$x{i} type=fanout auto_delete nowait"));
            if i > 0 {
                let last = i - 1;
                session.step(&format!("send 1 exchange.bind source=$x{i} destination=$x{last} nowait"));
            }
        }
        session.script("1 queue.bind queue=$q exchange=$x0\n 1 queue.unbind queue=$q exchange=$x0");
        session.step(&format!("1 exchange.declare exchange=$x{} type=fanout passive", LENGTH - 1));
    });
    assert!(trace.contains("channel.close code=404"), "the last one is still there");
}

#[test]
fn many_messages_go_back_to_their_places() {
    let trace = attack(|session| {
        session.script("1 queue.declare queue=$q exclusive\n 2 channel.open\n 2 basic.consume queue=$q consumer_tag=c");
        for i in 0..LENGTH {
            session.step(&format!("send 1 basic.publish routing_key=$q | | {i}"));
        }
        session.script("1 next 1000\n 2 channel.close code=200\n 1 queue $q 1000 0");
        (0..10).for_each(|_| session.step("1 basic.get queue=$q no_ack"));
    });
    let places: Vec<_> = trace.lines().filter(|l| l.contains("basic.get-ok")).collect();
    assert_eq!(places.len(), 10);
    for (i, line) in places.iter().enumerate() {
        assert!(line.contains("redelivered") && line.ends_with(&format!("| {i}")), "{line}");
    }
}
