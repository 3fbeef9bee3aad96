set -e
umask 077
mscomm -q amqp queue declare orders
cat > config.toml <<END
[profiles.staging.amqp]
server = "$MSCOMM_SANDBOX_AMQP"
END
