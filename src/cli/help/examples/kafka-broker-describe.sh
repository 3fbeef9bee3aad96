# Show what each broker holds, and its settings that are not the default
mscomm kafka broker describe
# Show one broker with all its settings
mscomm kafka broker describe 1 --all
# Show what was changed while it ran
mscomm kafka broker describe 1 -o json | jq -c 'select(.set_by == "broker")'
