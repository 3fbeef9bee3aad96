// franz-go through what a cluster offers; prints what must be the same on every one.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const first = 1_700_000_000_000

var (
	brokers = strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	// What every name begins with, so that runs on one cluster do not meet.
	name = os.Getenv("KAFKA_NAME")
	ctx  context.Context
	// Numbers that a cluster gives out.
	given = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("franz: ")
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	client := open()
	defer client.Close()
	admin := kadm.NewClient(client)
	topics(admin)
	records(admin)
	groups(admin, "classic")
	groups(admin, "consumer")
	transactions(admin)
	details(admin)
}

func say(what string, results ...any) {
	line := what
	for _, result := range results {
		line += fmt.Sprintf(" %v", result)
	}
	fmt.Println(given.ReplaceAllString(line, "BROKER"))
}

func check(err error) {
	if err != nil {
		log.Panicf("%v", err)
	}
}

func is[T any](value T, err error) T {
	check(err)
	return value
}

func open(options ...kgo.Opt) *kgo.Client {
	options = append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ClientID(name)}, options...)
	return is(kgo.NewClient(options...))
}

func record(partition int, value string) *kgo.Record {
	return &kgo.Record{Partition: int32(partition), Value: []byte(value), Timestamp: time.UnixMilli(first)}
}

func text(value *string) string {
	if value == nil {
		return "nil"
	}
	return *value
}

func create(admin *kadm.Client, topic string, partitions int32, configs map[string]*string) error {
	created, err := admin.CreateTopics(ctx, partitions, 1, configs, topic)
	check(err)
	it := created[topic]
	if it.Err == nil {
		say("created", it.NumPartitions, it.ReplicationFactor, it.ID != kadm.TopicID{})
		// What the controller has made comes to the broker a little later.
		until("a topic", func() bool { return is(admin.ListTopics(ctx, topic))[topic].Err == nil })
		return nil
	}
	say("not created", it.Err, it.ErrMessage)
	return it.Err
}

func topics(admin *kadm.Client) {
	topic := name + "-topics"
	configs := map[string]*string{"retention.ms": kadm.StringPtr("3600000"), "cleanup.policy": kadm.StringPtr("compact,delete")}
	check(create(admin, topic, 3, configs))
	create(admin, topic, 3, configs)
	create(admin, "no/name", 1, nil)
	create(admin, topic+"-bad", 1, map[string]*string{"no.such": kadm.StringPtr("1")})
	listed := is(admin.ListTopics(ctx, topic))
	for _, p := range listed[topic].Partitions.Sorted() {
		say("partition", p.Partition, p.Leader, p.Replicas, p.ISR, p.OfflineReplicas, p.Err)
	}
	say("unknown", is(admin.ListTopics(ctx, topic+"-none"))[topic+"-none"].Err)
	settings := func() (all string) {
		described := is(is(admin.DescribeTopicConfigs(ctx, topic)).On(topic, nil))
		sort.Slice(described.Configs, func(i, j int) bool { return described.Configs[i].Key < described.Configs[j].Key })
		for _, config := range described.Configs {
			if config.Source.String() != "DEFAULT_CONFIG" && config.Key != "min.insync.replicas" {
				all += fmt.Sprintf("%s %s %v; ", config.Key, text(config.Value), config.Source)
			}
		}
		return all
	}
	for _, alter := range []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("7200000")},
		{Op: kadm.SubtractConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")},
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("never")},
	} {
		altered := is(is(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{alter}, topic)).On(topic, nil))
		say("altered", alter.Name, altered.Err, altered.ErrMessage)
	}
	until("new settings", func() bool { return strings.Contains(settings(), "policy delete") })
	say("settings", settings())
	for _, count := range []int{5, 5} {
		updated := is(is(admin.UpdatePartitions(ctx, count, topic)).On(topic, nil))
		say("partitions", updated.Err, updated.ErrMessage)
	}
	until("partitions", func() bool { return len(is(admin.ListTopics(ctx, topic))[topic].Partitions) == 5 })
	say("count", len(is(admin.ListTopics(ctx, topic))[topic].Partitions))
	for range 2 {
		deleted := is(is(admin.DeleteTopics(ctx, topic)).On(topic, nil))
		say("deleted", deleted.Err, deleted.ErrMessage)
	}
}

func shown(record *kgo.Record) string {
	key, value := "nil", "nil"
	if record.Key != nil {
		key = string(record.Key)
	}
	if record.Value != nil {
		value = fmt.Sprintf("%.10s/%d", record.Value, len(record.Value))
	}
	line := fmt.Sprintf("%d@%d %d %d %s=%s", record.Partition, record.Offset, record.Timestamp.UnixMilli(), record.LeaderEpoch, key, value)
	for _, header := range record.Headers {
		line += fmt.Sprintf(" %s:%q/%v", header.Key, header.Value, header.Value == nil)
	}
	return line
}

// Reads so many records of a topic, and says them in their order.
func read(what, topic string, count int, options ...kgo.Opt) {
	client := open(append([]kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, options...)...)
	defer client.Close()
	var came []*kgo.Record
	for len(came) < count {
		fetches := client.PollFetches(ctx)
		check(fetches.Err0())
		came = append(came, fetches.Records()...)
	}
	sort.Slice(came, func(i, j int) bool {
		a, b := came[i], came[j]
		return a.Partition < b.Partition || a.Partition == b.Partition && a.Offset < b.Offset
	})
	for _, record := range came {
		say(what, shown(record))
	}
}

func records(admin *kadm.Client) {
	topic := name + "-records"
	check(create(admin, topic, 3, nil))
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()}, {"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()}}
	number := 0
	for _, it := range codecs {
		client := open(kgo.ProducerBatchCompression(it.codec), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond))
		var batch []*kgo.Record
		for i := range 6 {
			record := &kgo.Record{Partition: int32(i % 3), Key: fmt.Appendf(nil, "key %d", i), Value: []byte(strings.Repeat(it.name+" ", 50)), Timestamp: time.UnixMilli(int64(first + number))}
			number++
			record.Headers = []kgo.RecordHeader{{Key: "codec", Value: []byte(it.name)}, {Key: "empty", Value: []byte{}}, {Key: "codec", Value: nil}}
			switch i {
			case 3:
				record.Value = nil
			case 4:
				record.Key = nil
			case 5:
				record.Headers = nil
			}
			batch = append(batch, record)
		}
		results := client.ProduceSync(ctx, batch...)
		// They come as the partitions are written.
		sort.Slice(results, func(i, j int) bool { return results[i].Record.Timestamp.Before(results[j].Record.Timestamp) })
		for _, result := range results {
			say(it.name, result.Err, result.Record.Partition, result.Record.Offset)
		}
		client.Close()
	}
	read("read", topic, 30)
	keyed := open(kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	for i := range 5 {
		record := is(keyed.ProduceSync(ctx, &kgo.Record{Key: fmt.Appendf(nil, "key %d", i), Value: []byte("keyed"), Timestamp: time.UnixMilli(first)}).First())
		say("keyed", i, record.Partition)
	}
	keyed.Close()
	strict := open(kgo.UnknownTopicRetries(1))
	for _, wrong := range []string{topic + "-none", "no/name"} {
		_, err := strict.ProduceSync(ctx, &kgo.Record{Topic: wrong, Value: []byte("x")}).First()
		say("to nowhere", err)
	}
	strict.Close()
	offsets := func(what string, listed kadm.ListedOffsets, err error) {
		check(err)
		all := listed.Offsets().Sorted()
		for _, it := range all {
			it, _ := listed.Lookup(topic, it.Partition)
			say(what, it.Partition, it.Offset, it.Timestamp, it.LeaderEpoch, it.Err)
		}
	}
	started, err := admin.ListStartOffsets(ctx, topic)
	offsets("start", started, err)
	ended, err := admin.ListEndOffsets(ctx, topic)
	offsets("end", ended, err)
	after, err := admin.ListOffsetsAfterMilli(ctx, first+10, topic)
	offsets("after", after, err)
	largest, err := admin.ListMaxTimestampOffsets(ctx, topic)
	offsets("largest", largest, err)
	committed, err := admin.ListCommittedOffsets(ctx, topic)
	offsets("stable", committed, err)
	var before kadm.Offsets
	before.AddOffset(topic, 0, 4, -1)
	before.AddOffset(topic, 1, 4000, -1)
	deleted := is(admin.DeleteRecords(ctx, before))
	deleted.Each(func(it kadm.DeleteRecordsResponse) {})
	for _, partition := range []int32{0, 1} {
		it, _ := deleted.Lookup(topic, partition)
		say("deleted", it.Partition, it.LowWatermark, it.Err)
	}
	started, err = admin.ListStartOffsets(ctx, topic)
	offsets("start", started, err)
	check(is(admin.DeleteTopics(ctx, topic)).Error())
}

// A member of a group, and what it has by its own account.
type member struct {
	*kgo.Client
	came map[string]bool
}

func join(protocol, topic, group string, options ...kgo.Opt) *member {
	it := &member{came: map[string]bool{}}
	options = append(options, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(6*time.Second), kgo.FetchMaxWait(100*time.Millisecond))
	if protocol == "consumer" {
		options = append(options, kgo.WithContext(context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)))
	}
	it.Client = open(options...)
	return it
}

func (m *member) poll() {
	within, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	fetches := m.PollFetches(within)
	if err := fetches.Err0(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		log.Panicf("polling: %v", err)
	}
	fetches.EachRecord(func(record *kgo.Record) { m.came[string(record.Value)] = true })
}

func until(what string, done func() bool) {
	for end := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(end) {
			log.Panicf("did not happen: %s", what)
		}
	}
}

// How many partitions each member has, as the coordinator says it.
func shares(admin *kadm.Client, protocol, group string) []int {
	var counts []int
	if protocol == "consumer" {
		for _, it := range is(admin.DescribeConsumerGroups(ctx, group)) {
			for _, member := range it.Members {
				count := 0
				for _, topic := range member.Assignment {
					count += len(topic)
				}
				counts = append(counts, count)
			}
		}
	} else {
		for _, it := range is(admin.DescribeGroups(ctx, group)) {
			for _, member := range it.Members {
				count := 0
				if assigned, ok := member.Assigned.AsConsumer(); ok {
					for _, topic := range assigned.Topics {
						count += len(topic.Partitions)
					}
				}
				counts = append(counts, count)
			}
		}
	}
	sort.Ints(counts)
	return counts
}

func settle(admin *kadm.Client, protocol, group string, want []int, members ...*member) {
	until(fmt.Sprint(want), func() bool {
		for _, m := range members {
			m.poll()
		}
		return fmt.Sprint(shares(admin, protocol, group)) == fmt.Sprint(want)
	})
	say("share", want)
}

func all(count int, members ...*member) {
	came := map[string]bool{}
	until(fmt.Sprintf("%d records", count), func() bool {
		for _, m := range members {
			m.poll()
			for value := range m.came {
				came[value] = true
			}
		}
		return len(came) >= count
	})
	var values []string
	for value := range came {
		values = append(values, value)
	}
	sort.Strings(values)
	say("came", values)
}

func produce(topic string, from, to int) {
	client := open(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	for i := from; i < to; i++ {
		check(client.ProduceSync(ctx, record(i%4, fmt.Sprintf("v%02d", i))).FirstErr())
	}
}

func committed(admin *kadm.Client, group string) {
	for _, it := range is(admin.FetchOffsets(ctx, group)).Sorted() {
		say("committed", it.Partition, it.At, it.Metadata != "", it.Err)
	}
}

func groups(admin *kadm.Client, protocol string) {
	topic := name + "-group-" + protocol
	group := topic + "-readers"
	check(create(admin, topic, 4, nil))
	produce(topic, 0, 12)
	one := join(protocol, topic, group)
	settle(admin, protocol, group, []int{4}, one)
	all(12, one)
	check(one.CommitUncommittedOffsets(ctx))
	deleted := is(admin.DeleteGroups(ctx, group))[group]
	say("not empty", deleted.Err)
	two := join(protocol, topic, group)
	settle(admin, protocol, group, []int{2, 2}, one, two)
	produce(topic, 12, 20)
	all(20, one, two)
	check(one.CommitUncommittedOffsets(ctx))
	check(two.CommitUncommittedOffsets(ctx))
	two.Close()
	settle(admin, protocol, group, []int{4}, one)
	one.Close()
	until("an empty group", func() bool { return len(shares(admin, protocol, group)) == 0 })
	listed := is(admin.ListGroups(ctx))[group]
	say("listed", listed.ProtocolType, listed.State, listed.Coordinator)
	committed(admin, group)
	produce(topic, 20, 24)
	again := join(protocol, topic, group)
	all(4, again)
	again.Close()
	until("an empty group", func() bool { return len(shares(admin, protocol, group)) == 0 })
	if protocol == "classic" {
		for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.RoundRobinBalancer(), kgo.StickyBalancer(), kgo.CooperativeStickyBalancer()} {
			group := group + "-" + balancer.ProtocolName()
			one, two := join(protocol, topic, group, kgo.Balancers(balancer)), join(protocol, topic, group, kgo.Balancers(balancer), kgo.InstanceID("two"))
			say(balancer.ProtocolName())
			settle(admin, protocol, group, []int{2, 2}, one, two)
			described := is(admin.DescribeGroups(ctx, group))[group]
			say("described", described.State, described.ProtocolType, described.Protocol, described.Err)
			two.Close()
			one.Close()
			left := is(admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("two")))
			for _, it := range left.Sorted() {
				say("left", it.InstanceID, it.Err)
			}
			check(is(admin.DeleteGroups(ctx, group)).Error())
		}
	}
	var altered kadm.Offsets
	altered.AddOffset(topic, 1, 2, -1)
	check(is(admin.CommitOffsets(ctx, group, altered)).Error())
	var set kadm.TopicsSet
	set.Add(topic, 0)
	for _, it := range is(admin.DeleteOffsets(ctx, group, set)) {
		say("deleted", it)
	}
	committed(admin, group)
	for range 2 {
		say("group deleted", is(admin.DeleteGroups(ctx, group))[group].Err)
	}
	check(is(admin.DeleteTopics(ctx, topic)).Error())
}

func transactions(admin *kadm.Client) {
	topic := name + "-transactions"
	group := topic + "-group"
	id := topic + "-id"
	check(create(admin, topic, 2, nil))
	client := open(kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(20*time.Second))
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		check(client.BeginTransaction())
		for i := range 4 {
			check(client.ProduceSync(ctx, record(i%2, fmt.Sprintf("%v %d", commit, i))).FirstErr())
		}
		described := is(admin.DescribeTransactions(ctx, id))[id]
		say("open", described.State, described.TimeoutMillis, described.Topics[topic], described.Err)
		check(client.EndTransaction(ctx, commit))
	}
	until("the end of a transaction", func() bool { return is(admin.DescribeTransactions(ctx, id))[id].State == "CompleteCommit" })
	described := is(admin.DescribeTransactions(ctx, id))[id]
	say("closed", described.State, described.Topics[topic], described.Err)
	read("uncommitted", topic, 12)
	read("committed", topic, 8, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	younger := open(kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	check(younger.BeginTransaction())
	check(younger.ProduceSync(ctx, record(0, "younger")).FirstErr())
	check(client.BeginTransaction())
	err := client.ProduceSync(ctx, record(0, "older")).FirstErr()
	say("older", errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.ProducerFenced))
	check(younger.EndTransaction(ctx, kgo.TryCommit))
	younger.Close()
	client.Close()

	// What is read goes on to another topic, with its offsets.
	check(create(admin, topic+"-out", 1, nil))
	session := is(kgo.NewGroupTransactSession(kgo.SeedBrokers(brokers...), kgo.TransactionalID(id+"-session"), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DefaultProduceTopic(topic+"-out"), kgo.FetchMaxWait(100*time.Millisecond)))
	for count := 0; count < 9; {
		fetches := session.PollFetches(ctx)
		check(fetches.Err0())
		check(session.Begin())
		fetches.EachRecord(func(record *kgo.Record) {
			count++
			session.Produce(ctx, &kgo.Record{Value: record.Value}, nil)
		})
		if !is(session.End(ctx, kgo.TryCommit)) {
			log.Panicf("a transaction was not committed")
		}
	}
	session.Close()
	for _, it := range is(admin.FetchOffsets(ctx, group)).Sorted() {
		say("offset", it.Partition, it.At, it.Err)
	}
	check(is(admin.DeleteTopics(ctx, topic, topic+"-out")).Error())
}

func details(admin *kadm.Client) {
	cluster := is(admin.BrokerMetadata(ctx))
	say("brokers", cluster.Brokers.NodeIDs(), cluster.Controller, len(cluster.Cluster))
	versions := is(admin.ApiVersions(ctx)).Sorted()
	for _, it := range versions {
		say("versions", it.NodeID, it.Err)
	}
	users := is(admin.DescribeUserSCRAMs(ctx, name))
	say("user", users[name].Err, users[name].ErrMessage)
}
