import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What is written, with every codec, and read again. */
final class Records {
    private static final long FIRST_MS = 1_700_000_000_000L;

    private Records() {}

    static KafkaProducer<String, String> producer(String... settings) {
        return new KafkaProducer<>(settings("acks=all", settings), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String... settings) {
        return new KafkaConsumer<>(settings("auto.offset.reset=earliest", settings), new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> settings(String first, String... more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", Report.BROKERS, "client.id", Report.NAME));
        List<String> all = new ArrayList<>(List.of(first, "default.api.timeout.ms=30000"));
        all.addAll(Arrays.asList(more));
        for (String setting : all) {
            int at = setting.indexOf('=');
            settings.put(setting.substring(0, at), setting.substring(at + 1));
        }
        return settings;
    }

    static void create(Admin admin, String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        Report.until("a topic", () -> Administration.isThere(admin, topic));
    }

    /** All that the partitions hold until their ends, in order. */
    static void read(KafkaConsumer<String, String> consumer, List<TopicPartition> partitions, BiConsumer<TopicPartition, ConsumerRecord<String, String>> each) throws Exception {
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        Map<TopicPartition, List<ConsumerRecord<String, String>>> came = new HashMap<>();
        Report.until("the end", () -> {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                came.computeIfAbsent(new TopicPartition(record.topic(), record.partition()), p -> new ArrayList<>()).add(record);
            }
            return partitions.stream().allMatch(p -> consumer.position(p) >= ends.get(p));
        });
        for (TopicPartition partition : partitions) {
            came.getOrDefault(partition, List.of()).forEach(record -> each.accept(partition, record));
        }
    }

    static List<TopicPartition> partitions(String topic, int count) {
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(new TopicPartition(topic, i));
        }
        return all;
    }

    static String shown(ConsumerRecord<String, String> record) {
        StringBuilder line = new StringBuilder();
        line.append(record.partition()).append('@').append(record.offset()).append(' ').append(record.timestampType());
        line.append(' ').append(record.timestamp()).append(' ').append(record.leaderEpoch());
        line.append(' ').append(record.key()).append('=').append(record.value());
        record.headers().forEach(h -> line.append(' ').append(h.key()).append(':').append(h.value() == null ? null : new String(h.value(), UTF_8)));
        return line.toString();
    }

    static void run() throws Exception {
        String topic = Report.NAME + "-records";
        try (Admin admin = Admin.create(settings("retries=5"))) {
            create(admin, topic, 3, Map.of());
            create(admin, topic + "-stamped", 1, Map.of("message.timestamp.type", "LogAppendTime"));
            create(admin, topic + "-small", 1, Map.of("max.message.bytes", "1000", "compression.type", "gzip"));
            create(admin, topic + "-compact", 1, Map.of("cleanup.policy", "compact"));
        }
        int number = 0;
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (KafkaProducer<String, String> producer = producer("compression.type=" + codec, "linger.ms=20")) {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (int i = 0; i < 8; i++) {
                    String value = i == 3 ? null : (codec + " " + i + " ").repeat(20);
                    ProducerRecord<String, String> record = new ProducerRecord<>(topic, i < 4 ? null : (Integer) (i % 3), FIRST_MS + number++, i == 7 ? null : "key " + i, value);
                    record.headers().add("codec", codec.getBytes(UTF_8)).add("n", new byte[] {(byte) ('0' + i)});
                    if (i == 5) {
                        record.headers().add("null", null).add("n", "again".getBytes(UTF_8));
                    }
                    sent.add(producer.send(record));
                }
                for (Future<RecordMetadata> one : sent) {
                    RecordMetadata at = one.get();
                    Report.say(codec, at.partition(), at.offset(), at.timestamp(), at.serializedKeySize(), at.serializedValueSize());
                }
            }
        }
        List<TopicPartition> all = partitions(topic, 3);
        try (KafkaConsumer<String, String> consumer = consumer()) {
            read(consumer, all, (p, record) -> Report.say("read", shown(record)));
            Report.say("begin", sorted(consumer.beginningOffsets(all)), "end", sorted(consumer.endOffsets(all)));
            Map<TopicPartition, Long> times = new HashMap<>();
            all.forEach(p -> times.put(p, FIRST_MS + 17));
            Report.say("at", sorted(consumer.offsetsForTimes(times)));
            all.forEach(p -> times.put(p, FIRST_MS + 1_000_000));
            Report.say("later", sorted(consumer.offsetsForTimes(times)));
            Report.say("lag", consumer.currentLag(all.get(0)), "position", consumer.position(all.get(1)));
            consumer.seek(all.get(2), 4);
            Report.say("sought", shown(next(consumer, all.get(2))));
            consumer.partitionsFor(topic).stream().sorted((a, b) -> a.partition() - b.partition())
                .forEach(p -> Report.say("partition", p.partition(), p.leader().id(), p.replicas().length, p.inSyncReplicas().length, p.offlineReplicas().length));
            Report.tell("no partitions", () -> consumer.partitionsFor(topic + "-none"));
            Report.say("listed", consumer.listTopics().keySet().stream().filter(t -> t.startsWith(topic)).sorted().toList());
        }
        try (KafkaConsumer<String, String> consumer = consumer("auto.offset.reset=none")) {
            consumer.assign(all.subList(0, 1));
            consumer.seek(all.get(0), 1000);
            Report.tell("out of range", () -> {
                Report.until("an error", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty());
                return "none";
            });
        }
        refused(topic);
        stamped(topic + "-stamped");
        compacted(topic + "-compact");
    }

    private static ConsumerRecord<String, String> next(KafkaConsumer<String, String> consumer, TopicPartition partition) throws Exception {
        List<ConsumerRecord<String, String>> came = new ArrayList<>();
        Report.until("a record", () -> {
            came.addAll(consumer.poll(Duration.ofMillis(100)).records(partition));
            return !came.isEmpty();
        });
        return came.get(0);
    }

    private static void refused(String topic) throws Exception {
        try (KafkaProducer<String, String> producer = producer("max.block.ms=300", "delivery.timeout.ms=5000", "request.timeout.ms=4000", "linger.ms=0")) {
            Report.tell("unknown topic", () -> producer.send(new ProducerRecord<>(topic + "-none", "x")).get());
            Report.tell("bad name", () -> producer.send(new ProducerRecord<>("no such/topic", "x")).get());
            Report.tell("partition 9", () -> producer.send(new ProducerRecord<>(topic, 9, "k", "x")).get());
            producer.partitionsFor(topic + "-small");
            StringBuilder random = new StringBuilder();
            for (int i = 0, state = 1; i < 4000; i++) {
                state = state * 1103515245 + 12345;
                random.append((char) ('!' + (state >>> 16) % 90));
            }
            Report.tell("too large", () -> producer.send(new ProducerRecord<>(topic + "-small", "k", random.toString())).get());
            Report.tell("gzip by the broker", () -> producer.send(new ProducerRecord<>(topic + "-small", "k", "a".repeat(900))).get().offset());
        }
        try (KafkaConsumer<String, String> consumer = consumer()) {
            read(consumer, partitions(topic + "-small", 1), (p, r) -> Report.say("small", r.offset(), r.key(), r.value().length()));
        }
    }

    private static void stamped(String topic) throws Exception {
        long before = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = producer()) {
            RecordMetadata at = producer.send(new ProducerRecord<>(topic, 0, 5L, "k", "v")).get();
            Report.say("stamped", at.offset(), at.timestamp() >= before);
        }
        try (KafkaConsumer<String, String> consumer = consumer()) {
            read(consumer, partitions(topic, 1), (p, r) -> Report.say("stamped", r.timestampType(), r.timestamp() >= before, r.key(), r.value()));
        }
    }

    private static void compacted(String topic) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            Report.say("compacted", producer.send(new ProducerRecord<>(topic, "k", "v")).get().offset());
            Report.say("compacted", producer.send(new ProducerRecord<>(topic, "k", null)).get().offset());
            Report.tell("no key", () -> producer.send(new ProducerRecord<>(topic, "v")).get());
        }
    }

    static <V> Map<String, V> sorted(Map<TopicPartition, V> map) {
        Map<String, V> sorted = new TreeMap<>();
        map.forEach((p, v) -> sorted.put(String.valueOf(p.partition()), v));
        return sorted;
    }
}
