# Remove a profile
mscomm profile remove prod
# Remove it from another file than the usual one
mscomm profile remove staging --config ./config.toml
