import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/** Kafka's own command line tools, in one process; prints what they print, in order where they promise none. */
public final class Tools {
    private static final String TOPIC = Report.NAME + "-tools";

    /** What the tool that runs has ended with first. */
    private static int code;

    private static final List<Runnable> hooks = new ArrayList<>();

    private Tools() {}

    private interface Main {
        void run(String[] args) throws Exception;
    }

    /** How a tool ends where it would end the process. */
    private static final class Ended extends RuntimeException {
        Ended(int code) {
            super("exit " + code);
        }
    }

    private static void run(String name, Main main, String stdin, String... args) throws Exception {
        PrintStream out = System.out;
        PrintStream err = System.err;
        InputStream in = System.in;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream both = new PrintStream(said, true, StandardCharsets.UTF_8);
        System.setOut(both);
        System.setErr(both);
        System.setIn(new ByteArrayInputStream(stdin.getBytes(StandardCharsets.UTF_8)));
        code = -1;
        try {
            main.run(args);
        } catch (Ended ended) {
            // Its code is known.
        } finally {
            // What it would do at the end of its process: the producer sends what it still has.
            hooks.forEach(Runnable::run);
            hooks.clear();
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
        List<String> line = new ArrayList<>(Arrays.asList(args));
        line.removeAll(List.of("--bootstrap-server", Report.BROKERS));
        Report.say("$", name, canonical(line.toString()), code < 0 ? "" : code);
        said.toString(StandardCharsets.UTF_8).lines().filter(l -> !l.startsWith("\tat") && !l.contains("Ended"))
            .filter(l -> !name.equals("groups") || l.contains(Report.NAME))
            .map(Tools::canonical).filter(l -> !l.isEmpty() && !l.equals("exit " + code)).sorted().forEach(System.out::println);
    }

    /** Without the numbers and names that a cluster gives out, and the width that they give to a table. */
    private static String canonical(String line) {
        return line.replaceAll("TopicId: \\S+", "TopicId: ID").replaceAll("127\\.0\\.0\\.1(:[0-9]+)?", "BROKER").replaceAll(" +", " ")
            .replaceAll("CreateTime:\\d+", "CreateTime").replaceAll("/\\S*\\.json", "FILE").strip();
    }

    private static String[] with(String... args) {
        List<String> all = new ArrayList<>(List.of("--bootstrap-server", Report.BROKERS));
        all.addAll(Arrays.asList(args));
        return all.toArray(new String[0]);
    }

    private static void topics(String... args) throws Exception {
        run("topics", org.apache.kafka.tools.TopicCommand::main, "", with(args));
    }

    private static void configs(String... args) throws Exception {
        run("configs", kafka.admin.ConfigCommand::main, "", with(args));
    }

    private static void groups(String... args) throws Exception {
        run("consumer-groups", org.apache.kafka.tools.consumer.group.ConsumerGroupCommand::main, "", with(args));
    }

    private static void offsets(String... args) throws Exception {
        run("get-offsets", org.apache.kafka.tools.GetOffsetShell::main, "", with(args));
    }

    private static void transactions(String... args) throws Exception {
        run("transactions", org.apache.kafka.tools.TransactionsCommand::main, "", with(args));
    }

    private static void produce(String stdin, String... args) throws Exception {
        run("console-producer", org.apache.kafka.tools.ConsoleProducer::main, stdin, with(args));
    }

    private static void consume(String... args) throws Exception {
        run("console-consumer", org.apache.kafka.tools.consumer.ConsoleConsumer::main, "", with(args));
    }

    public static void main(String[] args) throws Exception {
        Exit.Procedure ends = (status, message) -> {
            // Some catch what ends them, and end again.
            code = code < 0 ? status : code;
            throw new Ended(status);
        };
        Exit.setExitProcedure(ends);
        Exit.setHaltProcedure(ends);
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        topics("--create", "--topic", TOPIC, "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=7200000");
        topics("--create", "--topic", TOPIC, "--partitions", "2", "--replication-factor", "1");
        topics("--create", "--topic", TOPIC, "--partitions", "2", "--if-not-exists");
        try (var admin = org.apache.kafka.clients.admin.Admin.create(Records.settings("retries=5"))) {
            Report.until("a topic", () -> Administration.isThere(admin, TOPIC));
        }
        topics("--list", "--topic", TOPIC + ".*");
        topics("--describe", "--topic", TOPIC);
        topics("--describe", "--topic", TOPIC + "-none");
        topics("--alter", "--topic", TOPIC, "--partitions", "3");
        topics("--alter", "--topic", TOPIC, "--partitions", "1");
        topics("--describe", "--topic", TOPIC, "--under-replicated-partitions");
        configs("--alter", "--entity-type", "topics", "--entity-name", TOPIC, "--add-config", "max.message.bytes=2000000,cleanup.policy=[compact,delete]");
        configs("--alter", "--entity-type", "topics", "--entity-name", TOPIC, "--delete-config", "retention.ms");
        configs("--describe", "--entity-type", "topics", "--entity-name", TOPIC);
        configs("--alter", "--entity-type", "topics", "--entity-name", TOPIC, "--add-config", "no.such=1");
        produce("k1:v1\nk2:v2\nk3:v3\nk4:v4\n", "--topic", TOPIC, "--property", "parse.key=true", "--property", "key.separator=:");
        produce("h:1\tk5:v5\n", "--topic", TOPIC, "--compression-codec", "zstd", "--property", "parse.key=true", "--property", "key.separator=:", "--property", "parse.headers=true");
        consume("--topic", TOPIC, "--from-beginning", "--max-messages", "5", "--property", "print.key=true", "--property", "print.partition=true", "--property", "print.offset=true", "--property", "print.headers=true", "--property", "print.timestamp=true");
        for (String protocol : List.of("classic", "consumer")) {
            consume("--topic", TOPIC, "--from-beginning", "--max-messages", "5", "--group", TOPIC + "-" + protocol, "--consumer-property", "group.protocol=" + protocol);
            settle(TOPIC + "-" + protocol);
            groups("--describe", "--group", TOPIC + "-" + protocol);
            groups("--describe", "--group", TOPIC + "-" + protocol, "--state");
            groups("--describe", "--group", TOPIC + "-" + protocol, "--members", "--verbose");
        }
        String group = TOPIC + "-classic";
        groups("--describe", "--group", TOPIC + "-none");
        groups("--reset-offsets", "--group", group, "--topic", TOPIC, "--to-earliest", "--execute");
        groups("--reset-offsets", "--group", group, "--topic", TOPIC + ":0", "--shift-by", "1", "--dry-run");
        groups("--reset-offsets", "--group", group, "--topic", TOPIC, "--to-datetime", "2020-01-01T00:00:00.000", "--execute");
        groups("--delete-offsets", "--group", group, "--topic", TOPIC + ":1");
        groups("--describe", "--group", group, "--offsets");
        run("groups", org.apache.kafka.tools.GroupsCommand::main, "", with("--list", "--group-type", "consumer", "--protocol", "consumer"));
        groups("--delete", "--group", group);
        groups("--delete", "--group", group);
        offsets("--topic", TOPIC);
        offsets("--topic", TOPIC, "--time", "earliest");
        offsets("--topic-partitions", TOPIC + ":0-2", "--time", "0");
        offsets("--topic", TOPIC, "--time", "4102444800000");
        offsets("--topic", TOPIC + "-none");
        open();
        Path file = Files.createTempFile("records", ".json");
        Files.writeString(file, "{\"version\": 1, \"partitions\": [{\"topic\": \"" + TOPIC + "\", \"partition\": 0, \"offset\": 1}]}");
        run("delete-records", org.apache.kafka.tools.DeleteRecordsCommand::main, "", "--bootstrap-server", Report.BROKERS, "--offset-json-file", file.toString());
        Files.delete(file);
        topics("--delete", "--topic", TOPIC);
        topics("--delete", "--topic", TOPIC + "-none");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    /** The member that has read has gone by its own word, which may still be on its way. */
    private static void settle(String group) throws Exception {
        try (var admin = org.apache.kafka.clients.admin.Admin.create(Records.settings("retries=5"))) {
            Report.until("an empty group", () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().isEmpty());
        }
    }

    private static void open() throws Exception {
        String id = TOPIC + "-id";
        try (var producer = Records.producer("transactional.id=" + id)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new org.apache.kafka.clients.producer.ProducerRecord<>(TOPIC, 0, "open", "open")).get();
            run("transactions", Tools::list, "", id, "Ongoing");
            producer.commitTransaction();
            run("transactions", Tools::list, "", id, "CompleteCommit");
            transactions("find-hanging", "--broker-id", "1", "--topic", TOPIC);
            transactions("describe", "--transactional-id", TOPIC + "-none");
        }
    }

    /** What the tool says of one id, once it is in a state; of its columns the id and the state. */
    private static void list(String[] wanted) throws Exception {
        PrintStream out = System.out;
        Report.until(wanted[1], () -> {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
            org.apache.kafka.tools.TransactionsCommand.main(with("list"));
            System.setOut(out);
            return said.toString(StandardCharsets.UTF_8).lines().anyMatch(l -> l.startsWith(wanted[0]) && l.contains(wanted[1]));
        });
        System.out.println(wanted[1]);
    }
}
