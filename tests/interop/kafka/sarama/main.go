// sarama through what a cluster offers; prints what must be the same on every one.
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

	"github.com/IBM/sarama"
)

const first = 1_700_000_000_000

var (
	brokers = strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	// What every name begins with, so that runs on one cluster do not meet.
	name = os.Getenv("KAFKA_NAME")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sarama: ")
	admin := is(sarama.NewClusterAdmin(brokers, config()))
	topics(admin)
	records(admin)
	groups(admin)
	transactions(admin)
	check(admin.Close())
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

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	config.ClientID = name
	config.Metadata.AllowAutoTopicCreation = false
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	return config
}

func until(what string, done func() bool) {
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			log.Panicf("did not happen: %s", what)
		}
	}
}

func create(admin sarama.ClusterAdmin, topic string, partitions int32) {
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	until("a topic", func() bool { return is(admin.DescribeTopics([]string{topic}))[0].Err == sarama.ErrNoError })
}

func topics(admin sarama.ClusterAdmin) {
	topic := name + "-topics"
	hour, day := "3600000", "86400000"
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &hour}}, false))
	until("a topic", func() bool { return is(admin.DescribeTopics([]string{topic}))[0].Err == sarama.ErrNoError })
	for _, bad := range []string{topic, "no/name"} {
		say("bad", admin.CreateTopic(bad, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	}
	say("bad", admin.CreateTopic(topic+"-bad", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 9}, false))
	described := is(admin.DescribeTopics([]string{topic}))[0]
	sort.Slice(described.Partitions, func(i, j int) bool { return described.Partitions[i].ID < described.Partitions[j].ID })
	for _, it := range described.Partitions {
		say("partition", it.ID, it.Leader, it.LeaderEpoch, it.Replicas, it.Isr, it.OfflineReplicas)
	}
	setting := func() string {
		for _, entry := range is(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})) {
			return fmt.Sprint(entry.Name, " ", entry.Value, " ", entry.Source)
		}
		return "none"
	}
	say(setting())
	check(admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &day}}, false))
	until("new settings", func() bool { return strings.Contains(setting(), day) })
	check(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &hour}, false))
	until("old settings", func() bool { return strings.Contains(setting(), hour) })
	for _, count := range []int32{5, 5} {
		say("partitions", admin.CreatePartitions(topic, count, nil, false))
	}
	listed := is(admin.ListTopics())[topic]
	say("listed", listed.NumPartitions, listed.ReplicationFactor, *listed.ConfigEntries["retention.ms"])
	for range 2 {
		say("deleted", admin.DeleteTopic(topic))
	}
}

func message(topic string, partition int, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Partition: int32(partition), Value: sarama.StringEncoder(value), Timestamp: time.UnixMilli(first)}
}

func read(what, topic string, count int, level sarama.IsolationLevel) {
	its := config()
	its.Consumer.IsolationLevel = level
	consumer := is(sarama.NewConsumer(brokers, its))
	partitions := is(consumer.Partitions(topic))
	var came []*sarama.ConsumerMessage
	readers := make([]sarama.PartitionConsumer, 0)
	all := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		reader := is(consumer.ConsumePartition(topic, partition, sarama.OffsetOldest))
		readers = append(readers, reader)
		go func() {
			for message := range reader.Messages() {
				all <- message
			}
		}()
	}
	deadline := time.After(30 * time.Second)
	for len(came) < count {
		select {
		case message := <-all:
			came = append(came, message)
		case <-deadline:
			log.Panicf("only %d messages came", len(came))
		}
	}
	sort.Slice(came, func(i, j int) bool {
		a, b := came[i], came[j]
		return a.Partition < b.Partition || a.Partition == b.Partition && a.Offset < b.Offset
	})
	for _, it := range came {
		line := fmt.Sprintf("%d@%d %d %q=%.10q/%d/%v", it.Partition, it.Offset, it.Timestamp.UnixMilli(), it.Key, it.Value, len(it.Value), it.Value == nil)
		for _, header := range it.Headers {
			line += fmt.Sprintf(" %s:%q", header.Key, header.Value)
		}
		say(what, line)
	}
	for _, reader := range readers {
		check(reader.Close())
	}
	check(consumer.Close())
}

func records(admin sarama.ClusterAdmin) {
	topic := name + "-records"
	create(admin, topic, 3)
	number := 0
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		its := config()
		its.Producer.Idempotent = true
		its.Net.MaxOpenRequests = 1
		its.Producer.Compression = codec
		producer := is(sarama.NewSyncProducer(brokers, its))
		for i := range 6 {
			it := message(topic, i%3, strings.Repeat(codec.String()+" ", 50))
			it.Timestamp = time.UnixMilli(int64(first + number))
			number++
			it.Key = sarama.StringEncoder(fmt.Sprintf("key %d", i))
			it.Headers = []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec.String())}, {Key: []byte("empty")}}
			if i == 3 {
				it.Value = nil
			}
			partition, offset, err := producer.SendMessage(it)
			say(codec.String(), partition, offset, err)
		}
		check(producer.Close())
	}
	read("read", topic, 30, sarama.ReadUncommitted)
	client := is(sarama.NewClient(brokers, config()))
	for _, at := range []int64{sarama.OffsetOldest, sarama.OffsetNewest, first + 9, first + 999} {
		for partition := range int32(3) {
			offset, err := client.GetOffset(topic, partition, at)
			say("offset", at, partition, offset, err)
		}
	}
	check(admin.DeleteRecords(topic, map[int32]int64{0: 4}))
	say("records deleted", is(client.GetOffset(topic, 0, sarama.OffsetOldest)))
	check(client.Close())
}

// A member of a group, which commits all it gets.
type member struct {
	sync.Mutex
	group  sarama.ConsumerGroup
	came   map[string]bool
	claims int
	done   chan struct{}
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.Lock()
	defer m.Unlock()
	m.claims = 0
	for _, partitions := range session.Claims() {
		m.claims += len(partitions)
	}
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.Lock()
		m.came[string(message.Value)] = true
		m.Unlock()
		session.MarkMessage(message, "")
		session.Commit()
	}
	return nil
}

func (m *member) share() int {
	m.Lock()
	defer m.Unlock()
	return m.claims
}

func join(topic, group string, strategy sarama.BalanceStrategy, instance string) *member {
	its := config()
	its.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	its.Consumer.Group.InstanceId = instance
	m := &member{group: is(sarama.NewConsumerGroup(brokers, group, its)), came: map[string]bool{}, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			err := m.group.Consume(context.Background(), []string{topic}, m)
			if errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return
			}
			check(err)
		}
	}()
	return m
}

func (m *member) leave() {
	check(m.group.Close())
	<-m.done
}

func settle(want []int, members ...*member) {
	until(fmt.Sprint(want), func() bool {
		for i, m := range members {
			if m.share() != want[i] {
				return false
			}
		}
		return true
	})
	say("share", want)
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

func produce(topic string, from, to int) {
	producer := is(sarama.NewSyncProducer(brokers, config()))
	for i := from; i < to; i++ {
		_, _, err := producer.SendMessage(message(topic, i%4, fmt.Sprintf("v%02d", i)))
		check(err)
	}
	check(producer.Close())
}

func groups(admin sarama.ClusterAdmin) {
	topic := name + "-group"
	group := topic + "-readers"
	create(admin, topic, 4)
	produce(topic, 0, 12)
	one := join(topic, group, sarama.NewBalanceStrategyRange(), "")
	settle([]int{4}, one)
	all(12, one)
	two := join(topic, group, sarama.NewBalanceStrategyRange(), "")
	settle([]int{2, 2}, one, two)
	produce(topic, 12, 20)
	all(20, one, two)
	described := is(admin.DescribeConsumerGroups([]string{group}))[0]
	say("group", described.Err, described.State, described.ProtocolType, described.Protocol, len(described.Members))
	two.leave()
	settle([]int{4}, one)
	one.leave()
	committed := func() {
		found := is(admin.ListConsumerGroupOffsets(group, nil))
		for partition := range int32(4) {
			if block := found.GetBlock(topic, partition); block != nil {
				say("committed", partition, block.Offset, block.LeaderEpoch, block.Metadata, block.Err)
			}
		}
	}
	committed()
	produce(topic, 20, 24)
	again := join(topic, group, sarama.NewBalanceStrategyRange(), "")
	all(4, again)
	again.leave()
	for _, strategy := range []sarama.BalanceStrategy{sarama.NewBalanceStrategyRoundRobin(), sarama.NewBalanceStrategySticky()} {
		it := group + "-" + strategy.Name()
		one, two := join(topic, it, strategy, "one"), join(topic, it, strategy, "two")
		say(strategy.Name())
		settle([]int{2, 2}, one, two)
		one.leave()
		two.leave()
		left := is(admin.RemoveMemberFromConsumerGroup(it, []string{"one", "two", "three"}))
		for _, it := range left.Members {
			say("left", *it.GroupInstanceId, it.Err)
		}
	}
	say("listed", is(admin.ListConsumerGroups())[group])
	check(admin.DeleteConsumerGroupOffset(group, topic, 0))
	committed()
	for range 2 {
		say("group deleted", admin.DeleteConsumerGroup(group))
	}
}

func transactions(admin sarama.ClusterAdmin) {
	topic := name + "-transactions"
	group := topic + "-group"
	create(admin, topic, 2)
	its := config()
	its.Producer.Idempotent = true
	its.Producer.Transaction.ID = topic + "-id"
	its.Net.MaxOpenRequests = 1
	producer := is(sarama.NewSyncProducer(brokers, its))
	for _, commit := range []bool{true, false, true} {
		check(producer.BeginTxn())
		for i := range 4 {
			_, _, err := producer.SendMessage(message(topic, i%2, fmt.Sprintf("%v %d", commit, i)))
			check(err)
		}
		check(producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: int64(2), LeaderEpoch: -1}}}, group))
		if commit {
			check(producer.CommitTxn())
		} else {
			check(producer.AbortTxn())
		}
	}
	read("uncommitted", topic, 12, sarama.ReadUncommitted)
	read("committed", topic, 8, sarama.ReadCommitted)
	found := is(admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1}}))
	say("offsets", found.GetBlock(topic, 0).Offset, found.GetBlock(topic, 1).Offset)
	younger := is(sarama.NewSyncProducer(brokers, its))
	check(producer.BeginTxn())
	_, _, err := producer.SendMessage(message(topic, 0, "older"))
	say("fenced", err != nil)
	check(younger.BeginTxn())
	_, _, err = younger.SendMessage(message(topic, 0, "younger"))
	check(err)
	check(younger.CommitTxn())
	check(younger.Close())
	producer.Close()
	read("in the end", topic, 9, sarama.ReadCommitted)
}
