import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;

/** Consumer groups of both protocols: who reads what, who comes and goes, and where they go on. */
final class Groups {
    private static final int PARTITIONS = 4;

    private Groups() {}

    private static KafkaConsumer<String, String> member(String protocol, String group, String... settings) {
        List<String> all = new ArrayList<>(List.of("group.protocol=" + protocol, "group.id=" + group, "enable.auto.commit=false"));
        if (protocol.equals("classic")) {
            all.addAll(List.of("session.timeout.ms=6000", "heartbeat.interval.ms=100"));
        }
        all.addAll(List.of(settings));
        return Records.consumer(all.toArray(new String[0]));
    }

    static void run(String protocol) throws Exception {
        String topic = Report.NAME + "-group-" + protocol;
        String group = topic + "-readers";
        try (Admin admin = Admin.create(Records.settings("retries=5"))) {
            Records.create(admin, topic, PARTITIONS, Map.of());
            produce(topic, 0, 12);
            comesAndGoes(admin, protocol, topic, group);
            comesAgain(admin, protocol, topic, group);
            fixed(admin, protocol, topic, group + "-static");
            offsets(admin, topic, group);
            if (protocol.equals("classic")) {
                cooperative(topic, group + "-cooperative");
            } else {
                assignors(admin, topic, group);
            }
            patterns(protocol, topic, group + "-pattern");
            removed(admin, topic, group);
        }
    }

    static void produce(String topic, int from, int to) throws Exception {
        try (KafkaProducer<String, String> producer = Records.producer()) {
            for (int i = from; i < to; i++) {
                producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "k" + i, "v" + i)).get();
            }
        }
    }

    /** Polls all of them until each has as many partitions as it should have; what came goes into `values`. */
    private static void settle(Set<String> values, List<KafkaConsumer<String, String>> members, int... counts) throws Exception {
        Report.until(members.size() + " members share", () -> {
            boolean settled = true;
            for (int i = 0; i < members.size(); i++) {
                for (ConsumerRecord<String, String> record : members.get(i).poll(Duration.ofMillis(20))) {
                    values.add(record.value());
                }
                settled &= members.get(i).assignment().size() == counts[i];
            }
            return settled;
        });
    }

    private static void all(Set<String> values, int count, List<KafkaConsumer<String, String>> members) throws Exception {
        Report.until(count + " records", () -> {
            for (KafkaConsumer<String, String> member : members) {
                member.poll(Duration.ofMillis(20)).forEach(record -> values.add(record.value()));
            }
            return values.size() >= count;
        });
        Report.say("came", values);
    }

    private static Set<Integer> numbers(Collection<TopicPartition> partitions) {
        Set<Integer> numbers = new TreeSet<>();
        partitions.forEach(p -> numbers.add(p.partition()));
        return numbers;
    }

    private static void comesAndGoes(Admin admin, String protocol, String topic, String group) throws Exception {
        Set<String> values = new TreeSet<>();
        List<String> told = new ArrayList<>();
        try (KafkaConsumer<String, String> first = member(protocol, group)) {
            first.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    told.add("+" + numbers(partitions));
                }

                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    told.add("-" + partitions.size());
                }
            });
            settle(values, List.of(first), PARTITIONS);
            all(values, 12, List.of(first));
            Report.say("first alone", numbers(first.assignment()), told.get(0));
            first.commitSync();
            describe(admin, group);
            Report.tell("not empty", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            Report.tell("subscribed", () -> admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic, 0))).all().get());
            Set<Integer> both = new TreeSet<>();
            try (KafkaConsumer<String, String> second = member(protocol, group)) {
                second.subscribe(List.of(topic));
                settle(values, List.of(first, second), 2, 2);
                both.addAll(numbers(first.assignment()));
                both.addAll(numbers(second.assignment()));
                Report.say("both", both, first.groupMetadata().groupId().equals(group), first.groupMetadata().generationId() == second.groupMetadata().generationId());
                produce(topic, 12, 20);
                all(values, 20, List.of(first, second));
                first.commitSync();
                second.commitSync();
                describe(admin, group);
            }
            settle(values, List.of(first), PARTITIONS);
            Report.say("alone again", numbers(first.assignment()));
            first.unsubscribe();
        }
        Report.until("an empty group", () -> describeOne(admin, group).members().isEmpty());
        describe(admin, group);
    }

    private static void comesAgain(Admin admin, String protocol, String topic, String group) throws Exception {
        produce(topic, 20, 24);
        Set<String> values = new TreeSet<>();
        try (KafkaConsumer<String, String> again = member(protocol, group)) {
            again.subscribe(List.of(topic));
            all(values, 4, List.of(again));
            Report.say("committed", Records.sorted(again.committed(Set.copyOf(Records.partitions(topic, PARTITIONS)))));
            again.commitSync(Map.of(new TopicPartition(topic, 1), new OffsetAndMetadata(3, "by hand")));
            Report.say("by hand", again.committed(Set.of(new TopicPartition(topic, 1))).values());
            try {
                again.commitSync(Map.of(new TopicPartition(topic, 99), new OffsetAndMetadata(3)), Duration.ofSeconds(2));
            } catch (TimeoutException error) {
                // Its words are of one who waits, or of one who asks again.
                Report.say("no such partition", error.getClass().getSimpleName());
            }
        }
        Report.say("listed", new TreeMap<>(Map.of(group, admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
            .filter(g -> g.groupId().equals(group)).map(g -> g.type() + " " + g.protocol() + " " + g.groupState().orElse(null) + " " + g.isSimpleConsumerGroup()).toList())));
    }

    /** A static member that goes away without a word and comes again has what it had. */
    private static void fixed(Admin admin, String protocol, String topic, String group) throws Exception {
        Set<String> values = new TreeSet<>();
        try (KafkaConsumer<String, String> one = member(protocol, group, "group.instance.id=one")) {
            one.subscribe(List.of(topic));
            settle(values, List.of(one), PARTITIONS);
            try (KafkaConsumer<String, String> two = member(protocol, group, "group.instance.id=two")) {
                two.subscribe(List.of(topic));
                settle(values, List.of(one, two), 2, 2);
            }
            try (KafkaConsumer<String, String> two = member(protocol, group, "group.instance.id=two")) {
                two.subscribe(List.of(topic));
                settle(values, List.of(one, two), 2, 2);
                describe(admin, group);
            }
        }
        admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one"), new MemberToRemove("two")))).all().get();
        describe(admin, group);
        Report.tell("no such member", () -> admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("three")))).all().get());
    }

    private static void offsets(Admin admin, String topic, String group) throws Exception {
        Report.say("offsets", Records.sorted(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()));
        admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 2), new OffsetAndMetadata(1, "altered"))).all().get();
        admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic, 0))).all().get();
        Report.say("altered", Records.sorted(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()));
        Report.tell("alter no such partition", () -> admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 77), new OffsetAndMetadata(1))).all().get());
        Report.tell("delete no such topic", () -> admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic + "-none", 0))).all().get());
        Report.tell("offsets of nobody", () -> admin.listConsumerGroupOffsets(group + "-nobody").partitionsToOffsetAndMetadata().get());
        Report.tell("describe nobody", () -> admin.describeConsumerGroups(List.of(group + "-nobody")).all().get());
        Report.tell("delete nobody", () -> admin.deleteConsumerGroups(List.of(group + "-nobody")).all().get());
    }

    private static void cooperative(String topic, String group) throws Exception {
        String sticky = "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        Set<String> values = new TreeSet<>();
        try (KafkaConsumer<String, String> first = member("classic", group, sticky)) {
            first.subscribe(List.of(topic));
            settle(values, List.of(first), PARTITIONS);
            try (KafkaConsumer<String, String> second = member("classic", group, sticky)) {
                second.subscribe(List.of(topic));
                settle(values, List.of(first, second), 2, 2);
                Report.say("cooperative", first.assignment().size(), second.assignment().size());
            }
            settle(values, List.of(first), PARTITIONS);
            KafkaConsumer<String, String> other = member("classic", group, "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor");
            other.subscribe(List.of(topic));
            Report.tell("another protocol", () -> {
                Report.until("an error", () -> !other.poll(Duration.ofMillis(50)).isEmpty());
                return "none";
            });
            other.close();
        }
    }

    private static void assignors(Admin admin, String topic, String group) throws Exception {
        for (String assignor : List.of("range", "uniform", "none-such")) {
            Set<String> values = new TreeSet<>();
            try (KafkaConsumer<String, String> first = member("consumer", group + "-" + assignor, "group.remote.assignor=" + assignor)) {
                first.subscribe(List.of(topic));
                Report.tell(assignor, () -> {
                    settle(values, List.of(first), PARTITIONS);
                    return numbers(first.assignment());
                });
                if (!assignor.equals("none-such")) {
                    describe(admin, group + "-" + assignor);
                }
            }
        }
    }

    private static void patterns(String protocol, String topic, String group) throws Exception {
        Set<String> values = new TreeSet<>();
        try (KafkaConsumer<String, String> member = member(protocol, group, "metadata.max.age.ms=500")) {
            if (protocol.equals("classic")) {
                member.subscribe(Pattern.compile(Pattern.quote(topic) + ".*"));
            } else {
                member.subscribe(new SubscriptionPattern(topic + ".*"));
            }
            settle(values, List.of(member), PARTITIONS);
            Report.say("pattern", numbers(member.assignment()));
        }
        if (protocol.equals("consumer")) {
            try (KafkaConsumer<String, String> member = member(protocol, group + "-bad")) {
                member.subscribe(new SubscriptionPattern("(" + topic));
                Report.tell("bad pattern", () -> {
                    Report.until("an error", () -> !member.poll(Duration.ofMillis(50)).isEmpty());
                    return "none";
                });
            }
        }
    }

    private static void removed(Admin admin, String topic, String group) throws Exception {
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Report.tell("gone", () -> admin.describeConsumerGroups(List.of(group)).all().get());
        Report.say("gone", admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)));
        admin.deleteTopics(List.of(topic)).all().get();
    }

    private static ConsumerGroupDescription describeOne(Admin admin, String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    static void describe(Admin admin, String group) throws Exception {
        ConsumerGroupDescription it = describeOne(admin, group);
        List<String> members = new ArrayList<>();
        for (MemberDescription member : it.members()) {
            members.add(member.clientId() + " " + member.groupInstanceId().orElse("-") + " " + member.assignment().topicPartitions().size()
                + " " + member.targetAssignment().map(a -> a.topicPartitions().size()).orElse(-1) + " " + member.upgraded().orElse(null));
        }
        members.sort(null);
        Report.say("group", it.type(), it.groupState(), "'" + it.partitionAssignor() + "'", it.isSimpleConsumerGroup(), it.authorizedOperations(), it.coordinator().id(), members);
    }
}
