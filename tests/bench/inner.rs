//! The inner loops in nanoseconds and allocations a message: `cargo bench --bench inner`.

#![expect(clippy::expect_used, clippy::panic, reason = "what cannot be done here is no measurement")]

mod works;

use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// How many lines there are for the splitter, and how often it is called for one sample.
const LINES: u32 = 10_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn write_envelope(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::write_envelope());
}

#[divan::bench]
fn read_envelope(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::read_envelope());
}

#[divan::bench]
fn read_delivery(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::read_delivery());
}

#[divan::bench]
fn read_delivery_as_json(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::read_delivery_as_json());
}

#[divan::bench]
fn to_kafka(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::to_kafka());
}

#[divan::bench]
fn to_amqp(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::to_amqp(true));
}

#[divan::bench]
fn write_format(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::write_format());
}

#[divan::bench(sample_count = 100, sample_size = LINES / 100)]
fn split_line(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::split_line(LINES as usize));
}

#[divan::bench]
fn write_protojson(bencher: Bencher<'_, '_>) {
    bencher.bench_local(works::write_protojson());
}
