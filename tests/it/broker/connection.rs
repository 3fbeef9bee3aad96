//! The handshake, its errors, the end of a connection, and what a channel number may be used for.

use super::script::same;

/// A handshake up to the login, and then a login.
fn login(start_ok: &str) -> String {
    format!("dial\n raw AMQP\\x00\\x00\\x09\\x01\n 0 next\n 0 connection.start-ok {start_ok}\n 0 next\n")
}

const GUEST: &str = r#"mechanism=PLAIN response="\x00guest\x00guest" locale=en_US"#;

fn tuned(tune_ok: &str) -> String {
    format!("{}\n 0 connection.tune-ok {tune_ok}\n", login(GUEST))
}

#[test]
fn a_login_and_a_leave() {
    same(&format!(
        "{}
        0 connection.open vhost=/
        1 channel.open
        1 channel.close code=200 text=bye
        0 connection.close code=200 text=bye",
        tuned("channel_max=2047 frame_max=131072")
    ));
}

#[test]
fn a_login_with_amqplain() {
    same(&login(
        r#"mechanism=AMQPLAIN response="\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x05guest" locale=en_US"#,
    ));
}

#[test]
fn amqplain_with_a_wrong_password() {
    same(&format!(
        "{} 0 end",
        login(
            r#"mechanism=AMQPLAIN response="\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x04gues" locale=en_US client_properties={capabilities=F:{authentication_failure_close=t:1}}"#
        )
    ));
}

#[test]
fn amqplain_that_lacks_a_password() {
    same(&format!(
        "{} 0 end",
        login(
            r#"mechanism=AMQPLAIN response="\x05LOGINS\x00\x00\x00\x05guest" locale=en_US client_properties={capabilities=F:{authentication_failure_close=t:1}}"#
        )
    ));
}

#[test]
fn plain_without_its_zeros() {
    same(&format!(
        "{} 0 end",
        login(
            r#"mechanism=PLAIN response=guest locale=en_US client_properties={capabilities=F:{authentication_failure_close=t:1}}"#
        )
    ));
}

#[test]
fn a_wrong_password_with_the_capability() {
    same(&format!(
        "{} 0 end",
        login(
            r#"mechanism=PLAIN response="\x00guest\x00wrong" locale=en_US client_properties={capabilities=F:{authentication_failure_close=t:1}}"#
        )
    ));
}

#[test]
fn a_wrong_password_without_the_capability() {
    same(&format!("{} 0 end", login(r#"mechanism=PLAIN response="\x00guest\x00wrong" locale=en_US"#)));
}

#[test]
fn an_unknown_user() {
    same(&format!(
        "{} 0 end",
        login(
            r#"mechanism=PLAIN response="\x00nobody\x00guest" locale=en_US client_properties={capabilities=F:{authentication_failure_close=t:1}}"#
        )
    ));
}

#[test]
fn an_unknown_mechanism() {
    same(&format!("{} 0 end", login("mechanism=CRAM response=x locale=en_US")));
    same(&format!("{} 0 end", login("mechanism=EXTERNAL response=x locale=en_US")));
}

#[test]
fn an_authorisation_identity_is_no_matter() {
    same(&login(r#"mechanism=PLAIN response="guest\x00guest\x00guest" locale=en_US"#));
}

#[test]
fn another_locale() {
    same(&login(r#"mechanism=PLAIN response="\x00guest\x00guest" locale=fr_FR"#));
}

#[test]
fn another_protocol_header() {
    for header in [
        r"AMQP\x00\x00\x09\x00",
        r"AMQP\x00\x01\x00\x00",
        r"AMQP\x03\x01\x00\x00",
        "HTTP/1.1",
        r"GET / HTTP/1.1\x0d\x0a",
    ] {
        same(&format!("dial\n raw {header}\n 0 end"));
    }
}

// RabbitMQ speaks AMQP 0-8 as well, to who begins with AMQP 1 1 8 0 or AMQP 1 1 9 1; the sandbox does not.
#[test]
fn the_header_of_0_9() {
    same(
        r"dial
        raw AMQP\x01\x01\x00\x09
        0 next",
    );
}

#[test]
fn a_missing_vhost() {
    same(&format!("{} 0 connection.open vhost=$none", tuned("channel_max=2047 frame_max=131072")));
    same(&format!("{} 0 connection.open vhost=\"\"", tuned("channel_max=2047 frame_max=131072")));
}

#[test]
fn limits_that_are_agreed_on() {
    for tune in [
        "channel_max=2 frame_max=4096",
        "channel_max=1 frame_max=131072",
        "channel_max=2047 frame_max=131072 heartbeat=600",
    ] {
        same(&format!("{} 0 connection.open vhost=/\n 1 channel.open\n", tuned(tune)));
    }
}

#[test]
fn limits_that_are_refused() {
    for tune in [
        "channel_max=0 frame_max=0",
        "channel_max=0 frame_max=131072",
        "channel_max=2047 frame_max=0",
        "channel_max=2047 frame_max=4095",
        "channel_max=2047 frame_max=131073",
        "channel_max=2048 frame_max=131072",
    ] {
        same(&format!("{} send 0 connection.open vhost=/\n 0 end\n", tuned(tune)));
    }
}

#[test]
fn a_channel_over_the_limit() {
    same(&format!(
        "{} 0 connection.open vhost=/\n 1 channel.open\n 2 channel.open\n 3 channel.open\n 0 end",
        tuned("channel_max=2 frame_max=4096")
    ));
}

#[test]
fn the_channel_of_a_number_over_the_servers_limit() {
    same("2047 channel.open\n 2048 channel.open\n");
}

#[test]
fn a_frame_over_the_limit_that_was_agreed_on() {
    same(&format!(
        "{} 0 connection.open vhost=/\n 1 channel.open\n 1 queue.declare queue=$q exclusive
        send 1 basic.publish routing_key=$q | | <4088>
        1 queue $q 1 0
        send 1 basic.publish routing_key=$q | | x
        raw \\x03\\x00\\x01\\x00\\x00\\x10\\x01
        0 end",
        tuned("channel_max=2 frame_max=4096")
    ));
}

#[test]
fn bodies_are_split_for_the_frames_that_were_agreed_on() {
    super::script::same_steps(|session| {
        session.script(&tuned("channel_max=2 frame_max=4096"));
        session.wire("a").shows_frames = true;
        session.script(
            "0 connection.open vhost=/
            1 channel.open
            1 queue.declare queue=$q exclusive
            1 basic.publish routing_key=$q | | <4088>
            1 basic.publish routing_key=$q | | <4089>
            1 basic.publish routing_key=$q | | <0>
            1 basic.publish routing_key=$q | | <20000>
            1 basic.get queue=$q
            1 basic.get queue=$q
            1 basic.get queue=$q
            1 basic.get queue=$q
            ",
        );
    });
}

#[test]
fn heartbeats_are_sent() {
    super::script::same_steps(|session| {
        session.script(&tuned("channel_max=2047 frame_max=131072 heartbeat=1"));
        session.wire("a").shows_heartbeats = true;
        session.script("0 connection.open vhost=/\n 0 next 2");
    });
}

#[test]
fn a_client_without_heartbeats_is_given_up() {
    same(&format!("{} 0 connection.open vhost=/\n 0 end", tuned("channel_max=2047 frame_max=131072 heartbeat=1")));
}

#[test]
fn steps_of_the_handshake_out_of_turn() {
    same("dial\n raw AMQP\\x00\\x00\\x09\\x01\n 0 next\n send 0 connection.open vhost=/\n 0 end");
    same("dial\n raw AMQP\\x00\\x00\\x09\\x01\n 0 next\n send 0 connection.tune-ok\n 0 end");
    same("dial\n raw AMQP\\x00\\x00\\x09\\x01\n 0 next\n send 1 channel.open\n 0 end");
    same(&format!("{} send 0 connection.open vhost=/\n 0 end", login(GUEST)));
    same(&format!("{} send 1 channel.open\n 0 end", tuned("channel_max=2047 frame_max=131072")));
    same("send 0 connection.open vhost=/\n 0 end");
    same("send 0 connection.tune-ok\n 0 end");
    same("send 0 connection.start-ok\n 0 end");
}

#[test]
fn a_handshake_that_ends_at_once() {
    same("dial\n shut-down\n 0 end");
    same("dial\n raw AMQP\n shut-down\n 0 end");
    same("dial\n raw AMQP\\x00\\x00\\x09\\x01\n 0 next\n shut-down\n 0 end");
}

#[test]
fn methods_on_the_wrong_channel() {
    same("send 0 channel.open\n 0 end");
    same("send 0 queue.declare queue=$q\n 0 end");
    same("send 0 basic.publish routing_key=$q | | x\n 0 end");
    same("send 1 connection.close code=200\n 0 end");
    same("send 1 connection.open vhost=/\n 0 end");
    same("send 7 queue.declare queue=$q\n 0 end");
    same("send 7 basic.publish routing_key=$q | | x\n 0 end");
    same("send 7 channel.close code=200\n 0 end");
    same("send 7 channel.close-ok\n 0 end");
}

#[test]
fn a_channel_that_is_opened_twice() {
    same("send 1 channel.open\n 0 end");
}

#[test]
fn methods_that_only_a_server_sends() {
    same("send 1 queue.declare-ok queue=$q\n 0 end");
    same("send 1 basic.deliver | | x\n 0 end");
    same("send 1 basic.consume-ok consumer_tag=x\n 0 end");
    same("send 1 channel.open-ok\n 0 end");
    same("send 1 basic.get-empty\n 0 end");
    same("send 1 channel.flow-ok active\n 1 sync");
    same("send 1 basic.cancel-ok consumer_tag=x\n 1 sync");
    same("send 0 connection.open-ok\n 0 end");
    same("send 0 connection.blocked reason=x\n 0 end");
    same("send 1 channel.close-ok\n 1 sync");
}

#[test]
fn a_number_is_used_again() {
    same(
        "1 queue.declare queue=$q
        1 channel.close code=200 text=bye
        1 channel.open
        1 queue.declare queue=\"\" passive
        1 queue.delete queue=$q",
    );
}

#[test]
fn what_comes_after_an_error_is_ignored() {
    super::script::same_steps(|session| {
        session.script("1 queue.declare queue=$q");
        session.wire("a").polite = false;
        session.script(
            "1 queue.declare queue=$none passive
            send 1 queue.declare queue=$more
            send 1 basic.publish routing_key=$q | | lost
            send 1 queue.delete queue=$q
            send 1 channel.close-ok",
        );
        session.wire("a").polite = true;
        session.script(
            "1 queue.declare queue=$more passive
            1 queue $q 0 0
            1 queue.delete queue=$q",
        );
    });
}

#[test]
fn a_close_of_both_at_once() {
    super::script::same_steps(|session| {
        session.wire("a").polite = false;
        session.script(
            "1 queue.declare queue=$none passive
            send 1 channel.close code=200
            1 next
            send 1 channel.close-ok
            1 channel.open",
        );
    });
}

#[test]
fn an_error_of_one_channel_leaves_the_others() {
    same(
        "2 channel.open
        1 queue.declare queue=$q exclusive
        2 queue.declare queue=$none passive
        1 queue $q 0 0",
    );
}

#[test]
fn a_new_secret() {
    same("0 connection.update-secret secret=x reason=expired");
}

#[test]
fn flow() {
    same("1 channel.flow active\n 1 channel.flow\n 0 end");
}

#[test]
fn access() {
    same("1 access.request realm=/data active read write\n 1 access.request realm=/data exclusive passive");
}
