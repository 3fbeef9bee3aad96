# See how a producer takes it that not enough replicas are in sync, twice
echo '[{"api": "Produce", "error": "NOT_ENOUGH_REPLICAS", "times": 2}]' |
  mscomm sandbox ctl fault -
# Make a group's heartbeats late
echo '[{"api": "Heartbeat", "group": "billing", "delay": "2s"}]' > late.json
mscomm sandbox ctl fault late.json
# No faults any more
mscomm sandbox ctl fault --none
