// kafkajs through what a cluster offers; prints what must be the same on every one.
'use strict'

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, PartitionAssigners, logLevel } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec

const FIRST_MS = 1_700_000_000_000
const brokers = process.env.KAFKA_BROKERS.split(',')
// What every name begins with, so that runs on one cluster do not meet.
const NAME = process.env.KAFKA_NAME
const kafka = new Kafka({ clientId: NAME, brokers, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
const admin = kafka.admin()

const say = (what, ...results) => console.log([what, ...results.map(it => typeof it === 'string' ? it : JSON.stringify(it))].join(' '))

async function tell(what, call) {
  try {
    say(what, await call())
  } catch (error) {
    say(what, error.name, error.type ?? '', (error.errors ?? []).map(it => it.type))
  }
}

async function until(what, done) {
  const end = Date.now() + 30_000
  for (let answer; !(answer = await done()); await new Promise(resolve => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(`did not happen: ${what}`)
  }
}

async function create(topic, numPartitions, configEntries = []) {
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] })
  await until('a topic', async () => {
    try {
      return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === numPartitions
    } catch (error) {
      if (error.type === 'UNKNOWN_TOPIC_OR_PARTITION') return false
      throw error
    }
  })
}

async function topics() {
  const topic = `${NAME}-topics`
  await create(topic, 3, [{ name: 'retention.ms', value: '3600000' }])
  await tell('again', () => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }))
  await tell('bad', () => admin.createTopics({ topics: [{ topic: 'no/name' }] }))
  await tell('bad', () => admin.createTopics({ topics: [{ topic: `${topic}-bad`, configEntries: [{ name: 'no.such', value: '1' }] }] }))
  const found = (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]
  found.partitions.sort((a, b) => a.partitionId - b.partitionId).forEach(it => say('partition', it))
  const setting = async () => {
    const described = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }] })
    return described.resources[0].configEntries.map(({ configName, configValue, configSource }) => ({ configName, configValue, configSource }))
  }
  say('setting', await setting())
  await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
  await until('new settings', async () => (await setting())[0].configValue === '7200000')
  for (const count of [5, 5]) await tell('partitions', () => admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  say('listed', (await admin.listTopics()).filter(it => it.startsWith(topic)))
  for (let i = 0; i < 2; i++) await tell('deleted', () => admin.deleteTopics({ topics: [topic] }))
}

/** Reads as many records with a group of its own, and says them in their order. */
async function read(what, topic, count, readUncommitted = false) {
  const consumer = kafka.consumer({ groupId: `${topic}-${what}`, readUncommitted, maxWaitTimeInMs: 50 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const came = []
  await consumer.run({ eachMessage: async ({ partition, message }) => { came.push({ partition, ...message }) } })
  await until(`${count} records`, () => came.length >= count)
  await consumer.disconnect()
  came.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
  for (const it of came) {
    const headers = Object.entries(it.headers).map(([name, value]) => `${name}:${value}`)
    say(what, `${it.partition}@${it.offset} ${it.timestamp} ${it.key}=${it.value === null ? null : `${it.value}`.slice(0, 10)}/${it.value?.length}`, headers)
  }
}

async function records() {
  const topic = `${NAME}-records`
  await create(topic, 3)
  let number = 0
  for (const [name, compression] of [['none', CompressionTypes.None], ['gzip', CompressionTypes.GZIP], ['snappy', CompressionTypes.Snappy]]) {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const messages = [0, 1, 2, 3, 4, 5].map(i => ({
      key: `key ${i}`, value: i === 3 ? null : `${name} ${i} `.repeat(30), partition: i % 3, timestamp: `${FIRST_MS + number++}`, headers: { codec: name, empty: '' },
    }))
    const sent = await producer.send({ topic, compression, acks: -1, messages })
    sent.sort((a, b) => a.partition - b.partition).forEach(it => say('sent', it.partition, it.baseOffset, it.errorCode))
    await producer.disconnect()
  }
  await read('read', topic, 18)
  say('offsets', (await admin.fetchTopicOffsets(topic)).sort((a, b) => a.partition - b.partition))
  for (const time of [FIRST_MS + 9, FIRST_MS + 999]) say('at', (await admin.fetchTopicOffsetsByTimestamp(topic, time)).sort((a, b) => a.partition - b.partition))
  await tell('records deleted', () => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] }))
  say('offsets', (await admin.fetchTopicOffsets(topic)).sort((a, b) => a.partition - b.partition))
}

async function produce(topic, from, to) {
  const producer = kafka.producer()
  await producer.connect()
  const messages = []
  for (let i = from; i < to; i++) messages.push({ value: `v${String(i).padStart(2, '0')}`, partition: i % 4, timestamp: `${FIRST_MS}` })
  await producer.send({ topic, messages })
  await producer.disconnect()
}

async function join(topic, groupId) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 100, maxWaitTimeInMs: 50, partitionAssigners: [PartitionAssigners.roundRobin] })
  const member = { consumer, share: 0, came: new Set() }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { member.share = payload.memberAssignment[topic]?.length ?? 0 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ autoCommitThreshold: 1, eachMessage: async ({ message }) => { member.came.add(`${message.value}`) } })
  return member
}

async function settle(counts, ...members) {
  await until(`${counts}`, () => members.every((member, i) => member.share === counts[i]))
  say('share', counts)
}

async function all(count, ...members) {
  const values = () => [...new Set(members.flatMap(member => [...member.came]))].sort()
  await until(`${count} records`, () => values().length >= count)
  say('came', values())
}

async function groups() {
  const topic = `${NAME}-group`
  const groupId = `${topic}-readers`
  await create(topic, 4)
  await produce(topic, 0, 12)
  const one = await join(topic, groupId)
  await settle([4], one)
  await all(12, one)
  const two = await join(topic, groupId)
  await settle([2, 2], one, two)
  await produce(topic, 12, 20)
  await all(20, one, two)
  const described = (await admin.describeGroups([groupId])).groups[0]
  say('group', described.errorCode, described.state, described.protocolType, described.protocol, described.members.length)
  await tell('not empty', () => admin.deleteGroups([groupId]))
  await two.consumer.disconnect()
  await settle([4], one)
  await one.consumer.disconnect()
  const committed = async () => say('committed', (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions.sort((a, b) => a.partition - b.partition))
  await committed()
  await produce(topic, 20, 24)
  const again = await join(topic, groupId)
  await all(4, again)
  await again.consumer.disconnect()
  say('listed', (await admin.listGroups()).groups.filter(it => it.groupId === groupId).map(it => it.protocolType))
  await tell('set', () => admin.setOffsets({ groupId, topic, partitions: [{ partition: 2, offset: '1' }] }))
  await tell('reset', () => admin.resetOffsets({ groupId, topic, earliest: true }))
  await committed()
  for (let i = 0; i < 2; i++) await tell('group deleted', () => admin.deleteGroups([groupId]))
}

async function transactions() {
  const topic = `${NAME}-transactions`
  await create(topic, 2)
  const transactional = () => kafka.producer({ transactionalId: `${topic}-id`, maxInFlightRequests: 1, idempotent: true, transactionTimeout: 20_000 })
  const producer = transactional()
  await producer.connect()
  const send = (transaction, what) => transaction.send({ topic, messages: [0, 1, 2, 3].map(i => ({ value: `${what} ${i}`, partition: i % 2, timestamp: `${FIRST_MS}` })) })
  for (const [what, commit] of [['committed', true], ['aborted', false], ['again', true]]) {
    const transaction = await producer.transaction()
    await send(transaction, what)
    await transaction.sendOffsets({ consumerGroupId: `${topic}-group`, topics: [{ topic, partitions: [{ partition: 0, offset: commit ? '2' : '1' }] }] })
    await (commit ? transaction.commit() : transaction.abort())
    await until('an offset', async () => (await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] }))[0].partitions.some(it => it.offset === '2'))
    say('ended', what)
  }
  await read('uncommitted', topic, 12, true)
  await read('committed', topic, 8)
  const younger = transactional()
  await younger.connect()
  const transaction = await younger.transaction()
  await tell('fenced', async () => send(await producer.transaction(), 'older'))
  await send(transaction, 'younger')
  await transaction.commit()
  await younger.disconnect()
  await producer.disconnect()
  await read('at-the-end', topic, 12)
}

async function main() {
  await admin.connect()
  const cluster = await admin.describeCluster()
  say('cluster', cluster.brokers.length, cluster.controller, cluster.clusterId.length)
  for (const part of [topics, records, groups, transactions]) await part()
  await admin.disconnect()
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
