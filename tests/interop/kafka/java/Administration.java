import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;

/** What an administrator asks for: topics, settings, records, offsets, users, quotas. */
final class Administration {
    private Administration() {}

    static void run() throws Exception {
        String topic = Report.NAME + "-admin";
        try (Admin admin = Admin.create(Records.settings("retries=5"))) {
            topics(admin, topic);
            settings(admin, topic);
            partitions(admin, topic);
            records(admin, topic + "-records");
            cluster(admin, topic);
            users(admin);
            quotas(admin);
            admin.deleteTopics(List.of(topic)).all().get();
            Report.until("no topic", () -> !isThere(admin, topic));
            Report.tell("deleted", () -> admin.describeTopics(List.of(topic)).allTopicNames().get());
            Report.tell("delete again", () -> admin.deleteTopics(List.of(topic)).all().get());
        }
    }

    static boolean isThere(Admin admin, String topic) throws Exception {
        try {
            return admin.describeTopics(List.of(topic)).allTopicNames().get().containsKey(topic);
        } catch (ExecutionException error) {
            if (error.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw error;
        }
    }

    private static NewTopic made(String name, int partitions, Map<String, String> configs) {
        return new NewTopic(name, partitions, (short) 1).configs(configs);
    }

    private static void topics(Admin admin, String topic) throws Exception {
        Map<String, String> configs = Map.of("retention.ms", "3600000", "cleanup.policy", "compact,delete", "segment.bytes", "2000000");
        Report.tell("validate", () -> admin.createTopics(List.of(made(topic, 3, configs)), new CreateTopicsOptions().validateOnly(true)).all().get());
        Report.tell("not there", () -> admin.describeTopics(List.of(topic)).allTopicNames().get());
        CreateTopicsResult result = admin.createTopics(List.of(made(topic, 3, configs)));
        Report.until("a topic", () -> isThere(admin, topic));
        Report.say("created", result.numPartitions(topic).get(), result.replicationFactor(topic).get(), changed(result.config(topic).get()));
        NewTopic defaults = new NewTopic(topic + "-defaults", Optional.empty(), Optional.empty());
        result = admin.createTopics(List.of(defaults));
        result.all().get();
        Report.until("a topic", () -> isThere(admin, defaults.name()));
        Report.say("by default", result.numPartitions(defaults.name()).get(), result.replicationFactor(defaults.name()).get());
        Report.tell("again", () -> admin.createTopics(List.of(made(topic, 3, configs))).all().get());
        for (NewTopic bad : List.of(made("no/name", 1, Map.of()), made("", 1, Map.of()), made("..", 1, Map.of()), made("x".repeat(250), 1, Map.of()),
            made(topic + "-bad", 0, Map.of()), made(topic + "-bad", 20_000, Map.of()), new NewTopic(topic + "-bad", 1, (short) 3), new NewTopic(topic + "-bad", 1, (short) 0),
            new NewTopic(topic + "-bad", Map.of(0, List.of(9))), new NewTopic(topic + "-bad", Map.of(1, List.of(1))),
            made(topic + "-bad", 1, Map.of("no.such", "1")), made(topic + "-bad", 1, Map.of("retention.ms", "long")), made(topic + "-bad", 1, Map.of("cleanup.policy", "burn")))) {
            Report.tell("bad", () -> admin.createTopics(List.of(bad)).all().get());
        }
        Report.tell("colliding", () -> admin.createTopics(List.of(made(topic.replace('-', '_') + ".a", 1, Map.of()))).all().get());
        Report.tell("colliding", () -> admin.createTopics(List.of(made(topic.replace('-', '_') + "_a", 1, Map.of()))).all().get());
        TopicDescription it = admin.describeTopics(List.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get().get(topic);
        Report.say("described", it.name().equals(topic), it.isInternal(), new TreeSet<>(it.authorizedOperations()));
        it.partitions().forEach(p -> Report.say("partition", p.partition(), p.leader().id(), p.replicas().size(), p.isr().size(), p.elr(), p.lastKnownElr()));
        it = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(it.topicId()))).allTopicIds().get().get(it.topicId());
        Report.say("by id", it.name().equals(topic), it.partitions().size());
        Report.say("listed", admin.listTopics().names().get().stream().filter(t -> t.startsWith(topic)).sorted().toList());
        admin.deleteTopics(List.of(topic + "-defaults", topic.replace('-', '_') + ".a")).all().get();
    }

    private static Map<String, String> changed(Config config) {
        Map<String, String> changed = new TreeMap<>();
        config.entries().stream().filter(e -> e.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG).forEach(e -> changed.put(e.name(), e.value()));
        return changed;
    }

    private static Config config(Admin admin, ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(resource);
    }

    private static void settings(Admin admin, String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        // What the administrator of the cluster has set is no matter of the broker's.
        Set<String> own = Set.of("retention.ms");
        config(admin, resource).entries().stream().filter(e -> !own.contains(e.name())).sorted((a, b) -> a.name().compareTo(b.name()))
            .forEach(e -> Report.say("setting", e.name(), "'" + e.value() + "'", e.source(), e.type(), e.isSensitive(), e.isReadOnly(), e.documentation().isEmpty(),
                e.synonyms().stream().map(s -> s.name() + "=" + s.value() + " " + s.source()).toList()));
        alter(admin, resource, "set", AlterConfigOp.OpType.SET, "retention.ms", "7200000");
        alter(admin, resource, "append", AlterConfigOp.OpType.APPEND, "leader.replication.throttled.replicas", "0:1");
        alter(admin, resource, "subtract", AlterConfigOp.OpType.SUBTRACT, "cleanup.policy", "compact");
        alter(admin, resource, "delete", AlterConfigOp.OpType.DELETE, "segment.bytes", "");
        alter(admin, resource, "set nonsense", AlterConfigOp.OpType.SET, "retention.ms", "never");
        alter(admin, resource, "set unknown", AlterConfigOp.OpType.SET, "no.such", "1");
        alter(admin, resource, "append to a number", AlterConfigOp.OpType.APPEND, "retention.ms", "1");
        alter(admin, new ConfigResource(ConfigResource.Type.TOPIC, topic + "-none"), "set of none", AlterConfigOp.OpType.SET, "retention.ms", "1");
        Report.tell("settings of none", () -> config(admin, new ConfigResource(ConfigResource.Type.TOPIC, topic + "-none")));
        Report.tell("validate", () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "5"), AlterConfigOp.OpType.SET))),
            new AlterConfigsOptions().validateOnly(true)).all().get());
        // What the controller has taken comes to the broker a little later.
        Report.until("new settings", () -> "delete".equals(changed(config(admin, resource)).get("cleanup.policy")) && !changed(config(admin, resource)).containsKey("segment.bytes"));
        Report.say("now", changed(config(admin, resource)));
        Config broker = config(admin, new ConfigResource(ConfigResource.Type.BROKER, "1"));
        for (String name : List.of("node.id", "num.partitions", "message.max.bytes", "min.insync.replicas", "compression.type", "log.cleanup.policy", "group.consumer.max.size")) {
            ConfigEntry e = broker.get(name);
            Report.say("broker", name, e == null ? null : e.value() + " " + e.type() + " " + e.isReadOnly() + " " + e.isSensitive());
        }
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, topic + "-group");
        alter(admin, group, "group", AlterConfigOp.OpType.SET, "consumer.session.timeout.ms", "50000");
        alter(admin, group, "group", AlterConfigOp.OpType.SET, "consumer.session.timeout.ms", "1");
        Report.say("group", config(admin, group).entries().stream().filter(e -> e.name().equals("consumer.session.timeout.ms")).map(e -> e.value() + " " + e.source()).toList());
    }

    private static void alter(Admin admin, ConfigResource resource, String what, AlterConfigOp.OpType op, String name, String value) {
        Report.tell(what + " " + name, () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), op)))).all().get());
    }

    private static void partitions(Admin admin, String topic) throws Exception {
        for (int count : List.of(5, 5, 2, 100_001)) {
            Report.tell("partitions " + count, () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count)), new CreatePartitionsOptions().validateOnly(count > 100)).all().get());
        }
        Report.tell("partitions of none", () -> admin.createPartitions(Map.of(topic + "-none", NewPartitions.increaseTo(5))).all().get());
        Report.tell("partitions assigned", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(6, List.of(List.of(1))))).all().get());
        Report.tell("partitions to nobody", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(7, List.of(List.of(7))))).all().get());
        Report.until("partitions", () -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 6);
        Report.tell("count", () -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
    }

    private static void records(Admin admin, String topic) throws Exception {
        // Of its own: records of long ago go by the settings of the other.
        Records.create(admin, topic, 2, Map.of());
        TopicPartition one = new TopicPartition(topic, 1);
        try (KafkaProducer<String, String> producer = Records.producer()) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(topic, 1, 1_700_000_000_000L + (i == 4 ? 1000 : i), "k" + i, "v" + i)).get();
            }
        }
        List<OffsetSpec> specs = List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(1_700_000_000_003L),
            OffsetSpec.forTimestamp(1_750_000_000_000L), OffsetSpec.earliestLocal(), OffsetSpec.latestTiered());
        for (OffsetSpec spec : specs) {
            Report.tell(spec.getClass().getSimpleName(), () -> admin.listOffsets(Map.of(one, spec)).all().get().values());
        }
        Report.tell("offsets of none", () -> admin.listOffsets(Map.of(new TopicPartition(topic, 99), OffsetSpec.latest()), new org.apache.kafka.clients.admin.ListOffsetsOptions().timeoutMs(1500)).all().get());
        Report.tell("deleted before", () -> admin.deleteRecords(Map.of(one, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(one).get().lowWatermark());
        Report.tell("deleted too much", () -> admin.deleteRecords(Map.of(one, RecordsToDelete.beforeOffset(11))).all().get());
        Report.tell("earliest", () -> admin.listOffsets(Map.of(one, OffsetSpec.earliest())).all().get().values());
        Report.tell("deleted all", () -> admin.deleteRecords(Map.of(one, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(one).get().lowWatermark());
    }

    private static void cluster(Admin admin, String topic) throws Exception {
        var cluster = admin.describeCluster();
        Report.say("cluster", cluster.nodes().get().size(), cluster.controller().get().id(), cluster.clusterId().get().length(), cluster.authorizedOperations().get());
        var features = admin.describeFeatures().featureMetadata().get();
        Report.say("finalized", new TreeMap<>(features.finalizedFeatures()));
        Report.say("supported", new TreeMap<>(features.supportedFeatures()));
        Report.tell("elect", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(topic, 0))).partitions().get().values());
        Report.tell("reassignments", () -> admin.listPartitionReassignments().reassignments().get());
        Report.tell("log directories", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream()
            .map(d -> d.error() + " " + d.replicaInfos().keySet().stream().filter(p -> p.topic().equals(topic)).count()).toList());
        Report.tell("client metrics", () -> admin.listConfigResources(Set.of(ConfigResource.Type.CLIENT_METRICS), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get());
        Report.tell("delegation tokens", () -> admin.describeDelegationToken().delegationTokens().get());
    }

    private static void users(Admin admin) throws Exception {
        String user = Report.NAME + "-user";
        Report.tell("no user", () -> admin.describeUserScramCredentials(List.of(user)).all().get());
        var old = new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "pw");
        var young = new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192), "pw");
        Report.tell("twice", () -> admin.alterUserScramCredentials(List.of(old, young)).all().get());
        Report.tell("user", () -> admin.alterUserScramCredentials(List.of(old)).all().get());
        Report.tell("user", () -> admin.alterUserScramCredentials(List.of(young)).all().get());
        Report.until("two credentials", () -> admin.describeUserScramCredentials(List.of(user)).all().get().get(user).credentialInfos().size() == 2);
        Report.tell("user", () -> admin.describeUserScramCredentials(List.of(user)).all().get().get(user).credentialInfos().stream().map(Object::toString).sorted().toList());
        Report.tell("too few", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 1), "pw"))).all().get());
        Report.tell("user gone", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256))).all().get());
        Report.tell("user gone", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))).all().get());
        Report.tell("user gone", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))).all().get());
    }

    private static void quotas(Admin admin) throws Exception {
        String client = Report.NAME + "-client";
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, client));
        ClientQuotaFilter filter = ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.CLIENT_ID, client)));
        int expected = 0;
        for (ClientQuotaAlteration.Op op : List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6), new ClientQuotaAlteration.Op("request_percentage", 50.0),
            new ClientQuotaAlteration.Op("no_such", 1.0), new ClientQuotaAlteration.Op("consumer_byte_rate", -1.0), new ClientQuotaAlteration.Op("request_percentage", null),
            new ClientQuotaAlteration.Op("producer_byte_rate", null))) {
            Report.tell("quota " + op, () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(op)))).all().get());
            expected += op.value() == null ? -1 : expected < 2 ? 1 : 0;
            int count = expected;
            Report.until("quotas", () -> admin.describeClientQuotas(filter).entities().get().values().stream().mapToInt(Map::size).sum() == count);
            Report.tell("quotas", () -> admin.describeClientQuotas(filter).entities().get().values().stream().map(TreeMap::new).collect(Collectors.toList()));
        }
    }
}
