//! What wakes a task when something comes into a queue.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::Waker;

use futures_util::task::AtomicWaker;
use rdkafka::bindings as rd;

/// Rung when something comes into one of the queues that it hangs on, as long as that was empty. So whoever waits for it
/// takes all that is there first, registers, and looks once more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell(Arc<AtomicWaker>);

impl Bell {
    /// Wakes this task the next time, and no other.
    pub(crate) fn register(&self, waker: &Waker) {
        self.0.register(waker);
    }

    /// Hangs it on a queue.
    ///
    /// SAFETY: the queue lives, and [`silence`] is called for it while this bell does.
    pub(super) unsafe fn hang(&self, queue: NonNull<rd::rd_kafka_queue_t>) {
        let opaque = Arc::as_ptr(&self.0).cast_mut().cast();
        // SAFETY: the caller's promise.
        unsafe { rd::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), opaque) }
    }
}

/// Takes the bell off a queue: it does not ring any more once this returns, for librdkafka rings and exchanges bells under
/// the same lock.
///
/// SAFETY: the queue lives.
pub(super) unsafe fn silence(queue: NonNull<rd::rd_kafka_queue_t>) {
    // SAFETY: the caller's promise.
    unsafe { rd::rd_kafka_queue_cb_event_enable(queue.as_ptr(), None, ptr::null_mut()) }
}

/// Called by any of librdkafka's threads, with the queue locked: it calls nothing of librdkafka's.
unsafe extern "C" fn ring(_: *mut rd::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: what was given to `hang`, which outlives it.
    unsafe { &*opaque.cast::<AtomicWaker>() }.wake();
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use rdkafka::consumer::BaseConsumer;
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};

    use super::super::{Feed, What};
    use super::Bell;

    /// A commit of nothing is answered by librdkafka's main thread, without a broker: asked for one by one, each answer comes
    /// anywhere around the moment at which it is waited for, and a wake-up that is lost is never made up for.
    #[test]
    fn no_wake_up_is_lost() {
        const RACES: u32 = 50_000;
        let consumer: BaseConsumer = ClientConfig::new().set("group.id", "g").create().expect("a client");
        let bell = Bell::default();
        let feed = Feed::of_group(consumer.into(), &bell).expect("a feed");
        let mut nothing = TopicPartitionList::new();
        nothing.add_partition_offset("t", 0, Offset::Invalid).expect("a place");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        runtime.expect("a runtime").block_on(async {
            for race in 0..RACES {
                feed.commit(&nothing).expect("commits");
                // A little later each time.
                (0..race % 512).for_each(|_| std::hint::spin_loop());
                let answer = poll_fn(|cx| {
                    bell.register(cx.waker());
                    while feed.has_events() {
                        if let Some(What::Committed(_)) = feed.event(Duration::ZERO) {
                            return Poll::Ready(());
                        }
                    }
                    Poll::Pending
                });
                tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap_or_else(|_| panic!("race {race}"));
            }
        });
    }
}
