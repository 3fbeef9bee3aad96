// segmentio's kafka-go through what a cluster offers; prints what must be the same on every one.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const first = 1_700_000_000_000

var (
	brokers = strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	// What every name begins with, so that runs on one cluster do not meet.
	name   = os.Getenv("KAFKA_NAME")
	client = &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 20 * time.Second}
	ctx    context.Context
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("segmentio: ")
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	topics()
	records()
	groups()
	transactions()
}

func say(what string, results ...any) { fmt.Println(append([]any{what}, results...)...) }

func check(err error) {
	if err != nil {
		log.Panicf("%v", err)
	}
}

func is[T any](value T, err error) T {
	check(err)
	return value
}

func until(what string, done func() bool) {
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			log.Panicf("did not happen: %s", what)
		}
	}
}

func topic(name string) kafka.Topic {
	return is(client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})).Topics[0]
}

func create(name string, partitions int, configs ...kafka.ConfigEntry) error {
	made := is(client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs}}}))
	if err := made.Errors[name]; err != nil {
		return err
	}
	until("a topic", func() bool { t := topic(name); return t.Error == nil && len(t.Partitions) == partitions })
	return nil
}

func topics() {
	it := name + "-topics"
	check(create(it, 3, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"}))
	for _, bad := range []string{it, "no/name"} {
		say("bad", create(bad, 1))
	}
	say("bad", create(it+"-bad", 1, kafka.ConfigEntry{ConfigName: "no.such", ConfigValue: "1"}))
	partitions := topic(it).Partitions
	sort.Slice(partitions, func(i, j int) bool { return partitions[i].ID < partitions[j].ID })
	for _, p := range partitions {
		say("partition", p.ID, p.Leader.ID, len(p.Replicas), len(p.Isr), p.Error)
	}
	setting := func() string {
		found := is(client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: it, ConfigNames: []string{"retention.ms"}}}}))
		entry := found.Resources[0].ConfigEntries[0]
		return fmt.Sprint(entry.ConfigName, " ", entry.ConfigValue, " ", entry.ConfigSource)
	}
	say(setting())
	altered := is(client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: it, Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "7200000", ConfigOperation: kafka.ConfigOperationSet}}}}}))
	say("altered", altered.Resources[0].Error)
	until("new settings", func() bool { return strings.Contains(setting(), "7200000") })
	for range 2 {
		more := is(client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: it, Count: 5}}}))
		say("partitions", more.Errors[it])
	}
	for range 2 {
		deleted := is(client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{it}}))
		say("deleted", deleted.Errors[it])
	}
}

func produce(it string, count, from, to int) {
	byNumber := kafka.BalancerFunc(func(m kafka.Message, all ...int) int { return int(m.Value[2]-'0') % count })
	writer := &kafka.Writer{Addr: kafka.TCP(brokers...), Topic: it, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Balancer: byNumber}
	var batch []kafka.Message
	for i := from; i < to; i++ {
		batch = append(batch, kafka.Message{Value: fmt.Appendf(nil, "v%02d", i), Time: time.UnixMilli(first)})
	}
	check(writer.WriteMessages(ctx, batch...))
	check(writer.Close())
}

func shown(m kafka.Message) string {
	line := fmt.Sprintf("%d@%d %d %q=%.10q/%d/%v", m.Partition, m.Offset, m.Time.UnixMilli(), m.Key, m.Value, len(m.Value), m.Value == nil)
	for _, header := range m.Headers {
		line += fmt.Sprintf(" %s:%q", header.Key, header.Value)
	}
	return line
}

func records() {
	it := name + "-records"
	check(create(it, 3))
	number := 0
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		writer := &kafka.Writer{Addr: kafka.TCP(brokers...), Topic: it, RequiredAcks: kafka.RequireAll, Compression: codec, BatchTimeout: time.Millisecond, Balancer: kafka.Murmur2Balancer{Consistent: true}}
		var batch []kafka.Message
		for i := range 6 {
			m := kafka.Message{Key: fmt.Appendf(nil, "key %d", i), Value: []byte(strings.Repeat(codec.String()+" .", 50)), Time: time.UnixMilli(int64(first + number))}
			m.Headers = []kafka.Header{{Key: "codec", Value: []byte(codec.String())}, {Key: "empty"}}
			if i == 3 {
				m.Value = nil
			}
			number++
			batch = append(batch, m)
		}
		check(writer.WriteMessages(ctx, batch...))
		check(writer.Close())
	}
	for partition := range 3 {
		ends := is(client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{it: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition), kafka.TimeOffsetOf(partition, time.UnixMilli(first+9))}}})).Topics[it][0]
		var times []int64
		for offset := range ends.Offsets {
			times = append(times, offset)
		}
		sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
		say("offsets", partition, ends.FirstOffset, ends.LastOffset, times, ends.Error)
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: it, Partition: partition, MaxWait: 100 * time.Millisecond})
		for range ends.LastOffset {
			say("read", shown(is(reader.ReadMessage(ctx))))
		}
		check(reader.SetOffsetAt(ctx, time.UnixMilli(first+9)))
		say("at", shown(is(reader.ReadMessage(ctx))))
		check(reader.Close())
	}
	strict := &kafka.Writer{Addr: kafka.TCP(brokers...), MaxAttempts: 1, BatchTimeout: time.Millisecond}
	err := strict.WriteMessages(ctx, kafka.Message{Topic: it + "-none", Value: []byte("x")})
	say("to nowhere", errors.Is(err, kafka.UnknownTopicOrPartition), err)
}

// A member of a group, which commits all it gets.
type member struct {
	sync.Mutex
	reader *kafka.Reader
	came   map[string]bool
	done   chan struct{}
}

func join(it, group string) *member {
	m := &member{came: map[string]bool{}, done: make(chan struct{})}
	m.reader = kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, GroupID: group, Topic: it, StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond, HeartbeatInterval: 100 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 50 * time.Millisecond})
	go func() {
		defer close(m.done)
		for {
			message, err := m.reader.ReadMessage(context.Background())
			if err != nil {
				return
			}
			m.Lock()
			m.came[string(message.Value)] = true
			m.Unlock()
		}
	}()
	return m
}

func (m *member) leave() {
	check(m.reader.Close())
	<-m.done
}

func all(count int, members ...*member) {
	came := map[string]bool{}
	until(fmt.Sprintf("%d records", count), func() bool {
		for _, m := range members {
			m.Lock()
			for value := range m.came {
				came[value] = true
			}
			m.Unlock()
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

// How many partitions each member has, as the coordinator says it.
func settle(group string, want ...int) {
	until(fmt.Sprint(want), func() bool {
		described := is(client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})).Groups[0]
		counts := []int{}
		for _, m := range described.Members {
			count := 0
			for _, topic := range m.MemberAssignments.Topics {
				count += len(topic.Partitions)
			}
			counts = append(counts, count)
		}
		return fmt.Sprint(counts) == fmt.Sprint(want)
	})
	say("share", want)
}

func committed(group, it string) {
	found := is(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{it: {0, 1, 2, 3}}}))
	sort.Slice(found.Topics[it], func(i, j int) bool { return found.Topics[it][i].Partition < found.Topics[it][j].Partition })
	for _, p := range found.Topics[it] {
		say("committed", p.Partition, p.CommittedOffset, p.Metadata, p.Error)
	}
}

func groups() {
	it := name + "-group"
	group := it + "-readers"
	check(create(it, 4))
	produce(it, 4, 0, 8)
	one := join(it, group)
	settle(group, 4)
	all(8, one)
	two := join(it, group)
	settle(group, 2, 2)
	produce(it, 4, 10, 18)
	all(16, one, two)
	two.leave()
	settle(group, 4)
	one.leave()
	settle(group)
	committed(group, it)
	produce(it, 4, 20, 24)
	again := join(it, group)
	all(4, again)
	again.leave()
	settle(group)
	listed := is(client.ListGroups(ctx, &kafka.ListGroupsRequest{}))
	for _, g := range listed.Groups {
		if g.GroupID == group {
			say("listed", g.Coordinator)
		}
	}
	byHand := is(client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{it: {{Partition: 2, Offset: 1, Metadata: "by hand"}}}}))
	say("by hand", byHand.Topics[it][0].Error)
	deleted := is(client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{it: {0}}}))
	say("deleted", deleted.Error, deleted.Topics[it][0].Error)
	committed(group, it)
	for range 2 {
		say("group deleted", is(client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})).Errors[group])
	}
}

// The client has the requests of transactions, not a producer for them.
func transactions() {
	it := name + "-transactions"
	id := it + "-id"
	check(create(it, 1))
	coordinator := is(client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: id, KeyType: kafka.CoordinatorKeyTypeTransaction}))
	say("coordinator", coordinator.Coordinator.NodeID, coordinator.Error)
	for _, commit := range []bool{false, true} {
		var producer *kafka.InitProducerIDResponse
		// The end of the one before may not have come to all partitions.
		until("a producer's id", func() bool {
			producer = is(client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 20000, ProducerID: -1, ProducerEpoch: -1}))
			return !errors.Is(producer.Error, kafka.ConcurrentTransactions)
		})
		check(producer.Error)
		pid, epoch := producer.Producer.ProducerID, producer.Producer.ProducerEpoch
		added := is(client.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{TransactionalID: id, ProducerID: pid, ProducerEpoch: epoch, Topics: map[string][]kafka.AddPartitionToTxn{it: {{Partition: 0}}}}))
		say("added", added.Topics[it][0].Error)
		offsets := is(client.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{TransactionalID: id, ProducerID: pid, ProducerEpoch: epoch, GroupID: it + "-group"}))
		say("offsets added", offsets.Error)
		within := is(client.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{TransactionalID: id, GroupID: it + "-group", ProducerID: pid, ProducerEpoch: epoch, GenerationID: -1, Topics: map[string][]kafka.TxnOffsetCommit{it: {{Partition: 0, Offset: 7}}}}))
		say("offset", within.Topics[it][0].Error)
		ended := is(client.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: id, ProducerID: pid, ProducerEpoch: epoch, Committed: commit}))
		say("ended", commit, ended.Error)
		until("an offset", func() bool {
			found := is(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: it + "-group", Topics: map[string][]int{it: {0}}})).Topics[it][0].CommittedOffset
			return (found == 7) == commit
		})
	}
}
