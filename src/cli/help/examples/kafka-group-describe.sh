# Show the members, offsets and lag of a group
mscomm kafka group describe billing
# Watch the lag, also in time
mscomm kafka group describe billing --time --watch 2s
# Show first where it lags most
mscomm kafka group describe billing --sort -lag
# Fail when a group is too far behind, as a check in CI
mscomm kafka group describe billing -o json | jq -e '.lag <= 1000'
# Show the lag of all groups as JSON, an object for each
mscomm kafka group describe --all -o json
