import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;

/** Transactions: what is committed is seen, what is aborted is not, and who is fenced. */
final class Transactions {
    private Transactions() {}

    static void run() throws Exception {
        String topic = Report.NAME + "-transactions";
        String id = topic + "-id";
        List<TopicPartition> all = Records.partitions(topic, 2);
        try (Admin admin = Admin.create(Records.settings("retries=5"));
            KafkaProducer<String, String> producer = Records.producer("transactional.id=" + id, "transaction.timeout.ms=20000")) {
            Records.create(admin, topic, 2, Map.of());
            producer.initTransactions();
            describe(admin, id);
            producer.beginTransaction();
            send(producer, topic, "committed", 4);
            open(admin, id, all);
            seen("open", topic, all);
            producer.commitTransaction();
            seen("committed", topic, all);
            producer.beginTransaction();
            send(producer, topic, "aborted", 4);
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            send(producer, topic, "again", 2);
            producer.commitTransaction();
            seen("all", topic, all);
            Report.until("the end of the transaction", () -> admin.describeTransactions(List.of(id)).all().get().get(id).state() == TransactionState.COMPLETE_COMMIT);
            describe(admin, id);
            offsets(admin, producer, topic);
            fenced(admin, producer, topic, id);
            aborted(admin, topic, all);
            Report.tell("timeout above the broker's", () -> {
                try (KafkaProducer<String, String> slow = Records.producer("transactional.id=" + id + "-slow", "transaction.timeout.ms=90000000")) {
                    slow.initTransactions();
                    return "taken";
                }
            });
            admin.deleteTopics(List.of(topic)).all().get();
        }
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String what, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(topic, i % 2, what, what + i)).get();
        }
    }

    private static void seen(String when, String topic, List<TopicPartition> all) throws Exception {
        for (String level : List.of("read_uncommitted", "read_committed")) {
            try (KafkaConsumer<String, String> consumer = Records.consumer("isolation.level=" + level)) {
                Report.say(when, level, "ends", Records.sorted(consumer.endOffsets(all)));
                Records.read(consumer, all, (p, r) -> Report.say(when, level, r.partition() + "@" + r.offset(), r.key(), r.value()));
            }
        }
    }

    private static void describe(Admin admin, String id) throws Exception {
        TransactionDescription it = admin.describeTransactions(List.of(id)).all().get().get(id);
        Set<String> partitions = new TreeSet<>();
        it.topicPartitions().forEach(p -> partitions.add(String.valueOf(p.partition())));
        Report.say("transaction", it.state(), it.transactionTimeoutMs(), it.producerEpoch() >= 0, it.transactionStartTimeMs().isPresent(), partitions);
        Report.say("listed", admin.listTransactions(new ListTransactionsOptions().filterOnDuration(-1)).all().get().stream()
            .filter(t -> t.transactionalId().equals(id)).map(t -> t.state()).toList());
    }

    private static void open(Admin admin, String id, List<TopicPartition> all) throws Exception {
        describe(admin, id);
        admin.describeProducers(all).all().get().forEach((p, state) -> state.activeProducers().forEach(producer ->
            Report.say("producer", producer.lastSequence(), producer.producerEpoch() >= 0, producer.coordinatorEpoch().isPresent(), producer.currentTransactionStartOffset())));
        Report.say("ongoing", admin.listTransactions(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).all().get().stream()
            .anyMatch(t -> t.transactionalId().equals(id)));
        Report.tell("describe nobody", () -> admin.describeTransactions(List.of(id + "-nobody")).all().get());
    }

    private static void offsets(Admin admin, KafkaProducer<String, String> producer, String topic) throws Exception {
        for (String protocol : List.of("classic", "consumer")) {
            String group = topic + "-group-" + protocol;
            TopicPartition zero = new TopicPartition(topic, 0);
            try (KafkaConsumer<String, String> consumer = Records.consumer("group.id=" + group, "group.protocol=" + protocol, "enable.auto.commit=false", "isolation.level=read_committed")) {
                consumer.subscribe(List.of(topic));
                Report.until("an assignment", () -> {
                    consumer.poll(Duration.ofMillis(20));
                    return consumer.assignment().size() == 2;
                });
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(Map.of(zero, new OffsetAndMetadata(2, "in a transaction")), consumer.groupMetadata());
                Report.say(protocol, "open", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().size());
                Report.say(protocol, "unstable", committed(group, zero, 500));
                producer.commitTransaction();
                Report.say(protocol, "committed", committed(group, zero, 20_000));
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(Map.of(zero, new OffsetAndMetadata(1)), consumer.groupMetadata());
                producer.abortTransaction();
                Report.say(protocol, "aborted", committed(group, zero, 20_000));
            }
        }
    }

    /** What is committed for good, as one sees it who is no member. */
    private static String committed(String group, TopicPartition partition, long milliseconds) {
        try (KafkaConsumer<String, String> other = Records.consumer("group.id=" + group, "enable.auto.commit=false", "isolation.level=read_committed")) {
            return String.valueOf(other.committed(Set.of(partition), Duration.ofMillis(milliseconds)).get(partition));
        } catch (TimeoutException error) {
            return "not in time";
        }
    }

    private static void fenced(Admin admin, KafkaProducer<String, String> producer, String topic, String id) throws Exception {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, "fenced", "fenced")).get();
        try (KafkaProducer<String, String> younger = Records.producer("transactional.id=" + id)) {
            younger.initTransactions();
            Report.tell("older sends", () -> producer.send(new ProducerRecord<>(topic, 0, "fenced", "fenced")).get());
            try {
                producer.commitTransaction();
            } catch (ProducerFencedException | InvalidProducerEpochException error) {
                // Its words are either those of the request or those of the batch, whichever is seen first.
                Report.say("older commits", error.getClass().getSimpleName());
            }
            younger.beginTransaction();
            younger.send(new ProducerRecord<>(topic, 0, "younger", "younger")).get();
            younger.commitTransaction();
            admin.fenceProducers(List.of(id)).all().get();
            Report.tell("fenced by an admin", () -> {
                younger.beginTransaction();
                younger.send(new ProducerRecord<>(topic, 0, "younger", "younger")).get();
                return "sent";
            });
        }
    }

    private static void aborted(Admin admin, String topic, List<TopicPartition> all) throws Exception {
        try (KafkaProducer<String, String> producer = Records.producer("transactional.id=" + topic + "-hanging")) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 1, "hanging", "hanging")).get();
            var state = admin.describeProducers(List.of(all.get(1))).all().get().get(all.get(1)).activeProducers().stream()
                .filter(p -> p.currentTransactionStartOffset().isPresent()).findFirst().orElseThrow();
            admin.abortTransaction(new AbortTransactionSpec(all.get(1), state.producerId(), (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all().get();
            Report.say("hanging", admin.describeProducers(List.of(all.get(1))).all().get().get(all.get(1)).activeProducers().stream()
                .filter(p -> p.currentTransactionStartOffset().isPresent()).count());
            seen("hanging", topic, all);
        }
    }
}
