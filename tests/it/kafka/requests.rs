//! `mscomm kafka request` and `respond`: asking through a topic, and answering in another one.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::{kafka, numbers, produce, read, topic};
use crate::support::{Done, Running, eventually, test_env, unique};

/// A topic to ask through, one for answers, and a group that answers.
pub(super) struct Place {
    pub(super) asked: String,
    pub(super) replies: String,
    group: String,
}

impl Place {
    pub(super) fn new() -> Place {
        Place { asked: topic(&["--partitions", "3"]), replies: topic(&["--partitions", "3"]), group: unique("it") }
    }

    /// Answers, also what was asked before.
    pub(super) fn respond(&self, flags: &[&str]) -> Running {
        kafka(&[&["respond", &self.asked, "--group", &self.group], flags].concat()).start()
    }

    /// Asks.
    pub(super) fn request(&self, flags: &[&str]) -> crate::support::Run {
        kafka(&[&["request", &self.asked, "--reply-topic", &self.replies], flags].concat())
    }

    /// How many requests the group has not passed over; `None` as long as it is not there.
    fn lag(&self) -> Option<i64> {
        let done = kafka(&["group", "describe", &self.group, "-o", "json"]).run();
        let group: Value = serde_json::from_str(done.lines().first()?).ok()?;
        let number = |of: &Value, name: &str| of[name].as_i64().unwrap_or(0);
        let lag = |of: &Value| if of["lag"].is_null() { number(of, "end") } else { number(of, "lag") };
        Some(group["partitions"].as_array()?.iter().map(lag).sum())
    }
}

/// What it told until it is asked to end.
pub(super) fn ended(running: Running) -> String {
    running.signal("INT");
    running.wait().exits(130).stderr
}

pub(super) fn envelopes(done: &Done) -> Vec<Value> {
    done.lines().iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

pub(super) fn one(done: &Done) -> Value {
    let [envelope] = envelopes(done).try_into().expect("one");
    envelope
}

/// The header of a name in an envelope.
fn header<'v>(envelope: &'v Value, name: &str) -> Option<&'v Value> {
    let headers = envelope["headers"].as_array()?;
    headers.iter().find(|pair| pair[0] == name).map(|pair| &pair[1])
}

/// Base64 of bytes, as envelopes have it.
fn tagged(base64: &str) -> Value {
    json!({ "$base64": base64 })
}

/// The only request of a topic, once it is there.
fn asked(place: &Place) -> Value {
    eventually("a request", || {
        let done = read(&place.asked, &["-o", "json"]);
        (done.lines().len() == 1).then(|| one(&done))
    })
}

#[test]
fn answers_come_in_the_order_of_the_requests_or_as_they_come() {
    let place = Place::new();
    // The first is the last that is ready; without a key none waits for another one.
    let slow = "sh -c 'read n; if [ $n = 1 ]; then sleep 0.7; fi; echo \"<$n>\"'";
    let running = place.respond(&["--exec", slow, "-j", "4"]);
    let request = |flags: &[&str]| {
        let all = [&["-j", "4", "--partitions", "0"], flags].concat();
        let done = place.request(&all).stdin(numbers(1, 12)).run().ok();
        assert!(done.stderr.is_empty(), "{}", done.stderr);
        done.lines()
    };
    let wanted: Vec<String> = (1..=12).map(|n| format!("<{n}>")).collect();
    assert_eq!(request(&[]), wanted);
    let unordered = request(&["--unordered"]);
    assert_ne!(unordered.first(), wanted.first(), "{unordered:?}");
    assert_eq!(unordered.iter().collect::<BTreeSet<_>>(), wanted.iter().collect());
    assert!(ended(running).contains("read 24, answered 24, failed 0, unknown 0"));
    assert_eq!(place.lag(), Some(0));
}

#[test]
fn many_are_asked_at_once() {
    let place = Place::new();
    let running = place.respond(&["--map", "{value: {n: (.value + 1)}}"]);
    let done = place.request(&["-j", "32", "--report", "json"]).stdin(numbers(1, 200)).run().ok();
    assert_eq!(done.lines(), (2..=201).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
    let report: Value = serde_json::from_str(&done.stderr).expect("JSON");
    let took = ["p50", "p90", "p99", "max"].map(|name| report["seconds_to_answer"][name].as_f64().expect(name));
    assert!(took[0] > 0.0 && took.is_sorted(), "{took:?}");
    // What a program makes of the answer is what is written.
    let map = place.request(&["-d", "4", "--map", ".value.n, .value.n | {value: .}", "--filter", ".value.n > 3"]);
    assert_eq!(map.run().ok().lines(), ["5", "5"]);
    // Somebody who reads no more is no failure.
    let piped = format!(
        "seq 300 | {} kafka request {} --reply-topic {} -j 8 | head -1",
        env!("CARGO_BIN_EXE_mscomm"),
        place.asked,
        place.replies
    );
    let done = Command::new("bash")
        .args(["-o", "pipefail", "-c", &piped])
        .env("MSCOMM_KAFKA_SERVER", test_env("KAFKA"))
        .output()
        .expect("bash runs");
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stdout).as_ref()), (Some(0), "{\"n\":2}\n"));
    ended(running);
}

/// The bytes of ReplyingKafkaTemplate: a UUID of 16 bytes, a text, and four bytes.
#[test]
fn a_request_says_what_spring_says() {
    let place = Place::new();
    let request = place.request(&["--reply-partition", "2", "-H", "trace=7", "-k", "key", "-d", "x", "-o", "json"]);
    let running = request.start();
    let request = asked(&place);
    assert_eq!((&request["key"], &request["value"]), (&json!("key"), &json!("x")));
    let names: Vec<&Value> = request["headers"].as_array().expect("some").iter().map(|pair| &pair[0]).collect();
    assert_eq!(names, ["trace", "kafka_correlationId", "kafka_replyTopic", "kafka_replyPartition"]);
    assert_eq!(header(&request, "kafka_replyTopic"), Some(&json!(place.replies)));
    assert_eq!(header(&request, "kafka_replyPartition"), Some(&json!("\0\0\0\u{2}")));
    let id = header(&request, "kafka_correlationId").expect("an id").clone();
    let base64 = id["$base64"].as_str().unwrap_or_else(|| panic!("16 random bytes are no text: {id}"));
    assert_eq!((base64.len(), base64.ends_with("==")), (24, true), "16 bytes");
    // Answers to others, one without an id, and the one that is waited for, of which the second comes too late.
    let answer = |id: Option<&Value>, value: &str| {
        let headers: Vec<Value> = id.iter().map(|id| json!(["kafka_correlationId", id])).collect();
        json!({ "partition": 2, "headers": headers, "value": value }).to_string() + "\n"
    };
    let all = [answer(Some(&json!("other")), "1"), answer(None, "2"), answer(Some(&id), "3"), answer(Some(&id), "4")];
    produce(&place.replies, all.concat(), &["--input", "json", "--keep-partition"]).ok();
    let done = running.wait().ok();
    let got = one(&done);
    assert_eq!((&got["value"], &got["partition"], &got["topic"]), (&json!("3"), &json!(2), &json!(place.replies)));
}

/// By clients that know nothing of each other: kcat answers, with an id that is text.
#[test]
fn an_answer_is_taken_in_either_form_of_its_id() {
    let uuid = "0195e0b2-7c1f-7d4e-8a43-0123456789ab";
    for (own, echoed) in [("7", json!("7")), (uuid, json!(uuid)), (uuid, json!(uuid.to_uppercase()))] {
        let place = Place::new();
        let running = place.request(&["-H", &format!("kafka_correlationId={own}"), "-d", "x"]).start();
        assert_eq!(header(&asked(&place), "kafka_correlationId"), Some(&json!(own)));
        let answer = format!(
            "printf 'from kcat\\n' | kcat -P -q -b {} -t {} -H 'kafka_correlationId={}'",
            test_env("KAFKA"),
            place.replies,
            echoed.as_str().expect("a text")
        );
        assert!(Command::new("sh").args(["-c", &answer]).status().expect("sh runs").success());
        assert_eq!(running.wait().ok().lines(), ["from kcat"]);
    }
    // And one that is a UUID of 16 bytes, answered as text.
    let place = Place::new();
    let request = json!({"headers": [["kafka_correlationId", tagged("AZXgsnwffU6KQwEjRWeJqw==")]], "value": "x"});
    let running = place.request(&["--input", "json", "-d", &request.to_string()]).start();
    asked(&place);
    produce(&place.replies, "y", &["-H", &format!("kafka_correlationId={uuid}")]).ok();
    assert_eq!(running.wait().ok().lines(), ["y"]);
}

#[test]
fn an_answer_goes_where_the_request_says_and_says_what_it_said() {
    let place = Place::new();
    // With a zero byte and more that is no text.
    let id = tagged("AAH/gAoNIiUAAQIDBAUGBw==");
    let request = json!({
        "key": tagged("/wA="),
        "headers": [
            ["kafka_replyTopic", "not this one"],
            ["kafka_correlationId", id],
            ["kafka_replyTopic", place.replies],
            ["kafka_replyPartition", tagged("AAAAAQ==")],
            ["trace", "7"],
        ],
        "value": "{\"n\":1}",
    });
    produce(&place.asked, request.to_string(), &["--input", "json"]).ok();
    place.respond(&["--map", ".value |= {n: (.n + 1)}", "-n", "1"]).wait().ok();
    let done = read(&place.replies, &["-o", "json"]);
    let answer = one(&done);
    assert_eq!(
        (&answer["partition"], &answer["key"], &answer["value"]),
        (&json!(1), &tagged("/wA="), &json!("{\"n\":2}"))
    );
    assert_eq!(answer["headers"], json!([["trace", "7"], ["kafka_correlationId", id]]));
    // A command gives a value, and nothing else of the request comes back but what it is recognised by.
    produce(&place.asked, request.to_string(), &["--input", "json"]).ok();
    place.respond(&["--exec", "tr n m", "-n", "1"]).wait().ok();
    let answer = envelopes(&read(&place.replies, &["-o", "json"])).pop().expect("two");
    assert_eq!((&answer["key"], &answer["value"]), (&tagged("/wA="), &json!("{\"m\":1}")));
    assert_eq!(answer["headers"], json!([["kafka_correlationId", id]]));
    assert_eq!(place.lag(), Some(0));
}

#[test]
fn what_cannot_be_answered_keeps_nobody_from_an_answer() {
    let place = Place::new();
    let missing = unique("none");
    let request = |headers: Value, value: &str| json!({ "headers": headers, "value": value }).to_string() + "\n";
    let to = |topic: &str| json!([["kafka_replyTopic", topic]]);
    let all = [
        request(to(&place.replies), "1"),
        request(to(&missing), "2"),
        request(to("__consumer_offsets"), "3"),
        request(to(&place.asked), "4"),
        request(json!([]), "5"),
        request(json!([["kafka_replyTopic", place.replies], ["kafka_replyPartition", "1"]]), "6"),
        request(json!([["kafka_replyTopic", place.replies], ["kafka_replyPartition", tagged("AAAACQ==")]]), "7"),
        request(to(&place.replies), "8"),
    ];
    produce(&place.asked, all.concat(), &["--input", "json", "--partitions", "0"]).ok();
    let done = place.respond(&["--exec", "cat", "-n", "8"]).wait().fails(8);
    done.says(&[
        &format!("its answer has no place: there is no topic `{missing}`"),
        "its kafka_replyTopic `__consumer_offsets` is one that the cluster keeps for itself",
        "which is asked through: its answer would be a request",
        "a request without kafka_replyTopic: it is handled, and nobody gets the answer",
        "its kafka_replyPartition is no partition",
        &format!("topic `{}` has no partition 9", place.replies),
        "failed 5",
    ]);
    let answered: BTreeSet<String> = read(&place.replies, &[]).lines().into_iter().collect();
    assert_eq!(answered, ["1", "8"].map(str::to_owned).into());
    assert_eq!(place.lag(), Some(0));

    // Only where somebody allows it; nothing is done for another one.
    let folder = tempfile::tempdir().expect("a folder");
    let worked = folder.path().join("worked");
    let command = format!("sh -c 'tee -a {}'", worked.display());
    produce(
        &place.asked,
        [request(to(&missing), "9\\n"), request(to(&place.replies), "10\\n")].concat(),
        &["--input", "json"],
    )
    .ok();
    let flags = ["--exec", &command, "-n", "2", "--allow-reply-to", "^other-", "--allow-reply-to", &place.replies];
    place
        .respond(&flags)
        .wait()
        .fails(8)
        .says(&[&format!("its kafka_replyTopic `{missing}` is none that --allow-reply-to names")]);
    let worked = std::fs::read_to_string(worked).expect("is there");
    assert!(worked.contains("10") && !worked.contains('9'), "{worked}");
}

#[test]
fn who_cannot_be_asked_and_who_does_not_answer() {
    let place = Place::new();
    let done = place.request(&["-j", "9", "--reply-timeout", "300ms"]).stdin(numbers(1, 3)).run().fails(7);
    assert!(done_nothing(&done), "{:?}", done.stdout);
    done.says(&[
        "input lines 1-3: no answer came within 300ms",
        "not answered: 3 of 3 requests",
        "--reply-timeout says how long each request waits",
    ]);
    let whole = place.request(&["-d", "x", "--timeout", "700ms"]).run().fails(7);
    whole.says(&["outcome unknown: 1 (input line 1)", "the deadline of --timeout passed"]);
    // Asked to stop, it says what nobody has answered.
    let running = place.request(&["-j", "2"]).stdin("1\n2\n3\n").start();
    eventually("requests", || (read(&place.asked, &[]).lines().len() >= 6).then_some(()));
    running.signal("INT");
    running.wait().exits(130).says(&["outcome unknown: 2 (input lines 1-2)"]);

    let (asked, replies) = (place.asked.as_str(), place.replies.as_str());
    let missing = unique("none");
    let create = format!("mscomm kafka topic create {missing}");
    for (args, code, texts) in [
        (&[asked, "--reply-topic", &missing][..], 8, &["the topic for answers: there is no topic", &create][..]),
        (&[&missing, "--reply-topic", replies], 8, &["there is no topic", &create]),
        (&[asked, "--reply-topic", asked], 2, &["who answers would take them for requests"]),
        (&[asked], 2, &["--reply-topic <TOPIC>"]),
        (&[asked, "--reply-topic", "^x"], 2, &["cannot begin with `^`"]),
        (&[asked, "--reply-topic", replies, "--reply-partition", "3"], 8, &["has no partition 3", "0 to 2"]),
        (&[asked, "--reply-topic", replies, "-H", "kafka_replyTopic=x"], 2, &["--reply-topic TOPIC says"]),
        (&[asked, "--reply-topic", replies, "-H", "kafka_replyPartition=x"], 2, &["--reply-partition NUMBER says"]),
        (&[asked, "--reply-topic", replies, "-H", "kafka_correlationId="], 2, &["no answer could be recognised"]),
        (&[asked, "--reply-topic", replies, "--decode", "json", "--decode-error", "dead:x"], 2, &["raw, stop or skip"]),
        (&[asked, "--reply-topic", replies, "--map", ".a b"], 2, &["--map"]),
    ] {
        let done = kafka(&[&["request", "-d", "x"], args].concat()).run().fails(code);
        assert!(done_nothing(&done), "{args:?}");
        done.says(texts);
    }
    let same = json!({"headers": [["kafka_correlationId", "same"]], "value": "x"}).to_string() + "\n";
    let twice = ["--input", "json", "-j", "2", "--reply-timeout", "500ms"];
    let done = place.request(&twice).stdin(same.repeat(2)).run().fails(2);
    done.says(&["line 2: its kafka_correlationId is that of an earlier request"]);

    for (args, texts) in [
        (&[asked, "--map", "."][..], &["--group <GROUP>"][..]),
        (&[asked, "-g", "g"], &["--map"]),
        (&[asked, "-g", "g", "--map", ".", "--exec", "cat"], &["cannot be used with"]),
        (&[asked, "-g", "g", "--map", ".", "-j", "2"], &["--jobs is about --exec"]),
        (&[asked, "-g", "", "--map", "."], &["the name of the group is empty"]),
        (&[asked, "-g", "g", "--exec", "cat", "--on-failure", "reject"], &["is for messages of a queue"]),
        (&[asked, "-g", "g", "--exec", "cat", "--on-failure", &format!("dead:{asked}")], &["would come again"]),
        (
            &[asked, "-g", "g", "--via", "grpc", "call", "a.B/C", "--on-refusal", "reject"],
            &["is for messages of a queue"],
        ),
    ] {
        kafka(&[&["respond"], args].concat()).run().fails(2).says(texts);
    }
    kafka(&["respond", &missing, "-g", &unique("it"), "--map", "."]).run().fails(8).says(&["there is no topic"]);
}

fn done_nothing(done: &Done) -> bool {
    done.stdout.is_empty()
}

#[test]
fn a_late_answer_is_told_and_no_other_is_harmed() {
    let place = Place::new();
    let request = |id: &str| json!({"headers": [["kafka_correlationId", id]], "value": id}).to_string() + "\n";
    let answering = place.respond(&["--map", "select(.value == \"quick\")"]);
    eventually("the group is there", || (place.lag() == Some(0)).then_some(()));
    let (running, mut stdin) =
        super::start_open(place.request(&["--input", "json", "--reply-timeout", "5s", "-j", "2"]));
    super::feed(&mut stdin, &(request("slow") + &request("quick")));
    // In their order, so that the first is given up by then.
    running.wait_for_lines(1);
    produce(&place.replies, "too late", &["-H", "kafka_correlationId=slow"]).ok();
    eventually("it is told", || running.stderr().contains("an answer came late, or a second time").then_some(()));
    drop(stdin);
    let done = running.wait().exits(7);
    assert_eq!(done.lines(), ["quick"]);
    done.says(&["input line 1: no answer came within 5s", "not answered: 1 of 2 requests"]);
    ended(answering);
}

/// Killed in the middle, it leaves nobody without an answer: what was not passed over comes again.
#[test]
fn a_restart_leaves_no_request_without_an_answer() {
    let place = Place::new();
    let requests: String = (1..=300)
        .map(|n| {
            let headers = json!([["kafka_replyTopic", place.replies], ["kafka_correlationId", n.to_string()]]);
            json!({ "key": n.to_string(), "headers": headers, "value": n.to_string() }).to_string() + "\n"
        })
        .collect();
    produce(&place.asked, requests, &["--input", "json"]).ok();
    let folder = tempfile::tempdir().expect("a folder");
    let held = folder.path().join("held");
    std::fs::write(&held, "").expect("writes");
    let command =
        format!("sh -c 'read n; while [ $n -gt 150 -a -e {} ]; do sleep 0.02; done; printf $n'", held.display());
    let flags = ["--exec", &command, "-j", "4"];
    let running = place.respond(&flags);
    let answers = || read(&place.replies, &[]).lines().len();
    eventually("some are answered", || (answers() >= 20).then_some(()));
    running.signal("KILL");
    // Those that wait would live on.
    std::fs::remove_file(&held).expect("is there");
    running.wait();
    let first = answers();
    assert!(first <= 150, "{first}");
    // Who asks it to end lets it finish what it has begun.
    let running = place.respond(&flags);
    eventually("more are answered", || (answers() >= first + 20).then_some(()));
    running.signal("TERM");
    let told = running.wait().exits(143).stderr;
    assert!(told.contains("failed 0, unknown 0"), "{told}");
    place.respond(&[&flags[..], &["--until-end"]].concat()).wait().ok();
    let answers = read(&place.replies, &[]).lines();
    let each: BTreeSet<u32> = answers.iter().map(|text| text.trim().parse().expect("a number")).collect();
    assert_eq!(each, (1..=300).collect());
    assert_eq!(place.lag(), Some(0));
}

#[test]
fn a_command_that_fails_says_what_becomes_of_its_request() {
    let place = Place::new();
    let dead = topic(&[]);
    let running = place.respond(&["--exec", "grep -v bad", "--on-failure", &format!("dead:{dead}")]);
    eventually("the group is there", || place.lag());
    let done =
        place.request(&["-j", "3", "--partitions", "0", "--reply-timeout", "5s"]).stdin("1\nbad\n3\n").run().exits(7);
    assert_eq!(done.lines(), ["1", "3"]);
    ended(running);
    assert_eq!(read(&dead, &[]).lines(), ["bad"]);
    assert_eq!(place.lag(), Some(0));
    // By itself it is the end, and the request comes again.
    let running = place.respond(&["--exec", "false"]);
    place.request(&["-d", "x", "--partitions", "0", "--reply-timeout", "2s"]).run().fails(7);
    running.wait().fails(8).says(&["`false` exited with 1", "nothing more was begun"]);
    assert_eq!(place.lag(), Some(1));
}
