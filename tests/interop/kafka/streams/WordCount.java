import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams' word count: what it counts, in which topics, and again after it has come back with an empty disk. */
public final class WordCount {
    private WordCount() {}

    public static void main(String[] args) throws Exception {
        for (String guarantee : List.of(StreamsConfig.AT_LEAST_ONCE, StreamsConfig.EXACTLY_ONCE_V2)) {
            run(guarantee);
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void run(String guarantee) throws Exception {
        String name = Report.NAME + "-" + guarantee;
        try (Admin admin = Admin.create(Records.settings("retries=5"))) {
            admin.createTopics(List.of(new NewTopic(name + "-in", 2, (short) 1), new NewTopic(name + "-out", 2, (short) 1))).all().get();
            Report.until("topics", () -> Administration.isThere(admin, name + "-in") && Administration.isThere(admin, name + "-out"));
            count(admin, name, guarantee, List.of("the quick brown fox", "jumps over the lazy dog", "the end"), 3);
            count(admin, name, guarantee, List.of("the fox again"), 4);
            Report.say(guarantee, "topics", admin.listTopics().names().get().stream().filter(t -> t.startsWith(name)).sorted().toList());
            var described = admin.describeTopics(List.of(name + "-counts-changelog", name + "-counts-repartition")).allTopicNames().get();
            described.values().stream().sorted(Comparator.comparing(t -> t.name())).forEach(t -> Report.say(guarantee, t.name(), t.partitions().size()));
            Report.say(guarantee, "committed", Records.sorted(admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .filter(e -> e.getKey().topic().endsWith("-in")).collect(HashMap::new, (m, e) -> m.put(e.getKey(), e.getValue().offset()), Map::putAll)));
        }
    }

    private static void count(Admin admin, String name, String guarantee, List<String> lines, long the) throws Exception {
        Path folder = Files.createTempDirectory("streams");
        Properties properties = new Properties();
        properties.putAll(Map.of(StreamsConfig.APPLICATION_ID_CONFIG, name, StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, Report.BROKERS,
            StreamsConfig.STATE_DIR_CONFIG, folder.toString(), StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee,
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100, StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2, "auto.offset.reset", "earliest"));
        // Members of Streams go without a word.
        properties.putAll(Map.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 300));
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> in = builder.stream(name + "-in", org.apache.kafka.streams.kstream.Consumed.with(Serdes.String(), Serdes.String()));
        in.flatMapValues(line -> Arrays.asList(line.split(" "))).groupBy((key, word) -> word, Grouped.with("counts", Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts")).toStream().mapValues(String::valueOf).to(name + "-out", Produced.with(Serdes.String(), Serdes.String()));
        try (KafkaStreams streams = new KafkaStreams(builder.build(), properties)) {
            streams.start();
            try (var producer = Records.producer()) {
                for (String line : lines) {
                    producer.send(new ProducerRecord<>(name + "-in", line, line)).get();
                }
            }
            Map<String, Long> counts = new TreeMap<>();
            var all = Records.partitions(name + "-out", 2);
            Report.until("counts", () -> {
                try (var consumer = Records.consumer("isolation.level=read_committed")) {
                    Records.read(consumer, all, (p, r) -> counts.merge(r.key(), Long.valueOf(r.value()), Math::max));
                }
                return counts.values().stream().mapToLong(n -> n).sum() == (the == 3 ? 11 : 14);
            });
            Report.say(guarantee, counts);
            Report.until("commits", () -> admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .filter(e -> e.getKey().topic().endsWith("-in")).mapToLong(e -> e.getValue().offset()).sum() >= (the == 3 ? 3 : 4));
            streams.close(Duration.ofSeconds(20));
        }
        try (var files = Files.walk(folder)) {
            for (Path path : new ArrayList<>(files.sorted(Comparator.reverseOrder()).toList())) {
                Files.delete(path);
            }
        }
    }
}
