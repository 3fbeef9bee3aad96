umask 077
cat > config.toml <<END
[profiles.staging.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"
sasl = { mechanism = "PLAIN", username = "admin", password = "pw" }
END
export MSCOMM_PROFILE=staging
mscomm -q kafka acl add --principal billing --consumer --topic orders --group billing
mscomm -q kafka acl add --principal shop --producer --topic orders
