umask 077
cat > config.toml <<END
[profiles.staging.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"
END
export MSCOMM_PROFILE=staging BILLING_PASSWORD=pw2
mscomm -q kafka user add billing --new-password pw1
mscomm -q kafka user add billing --new-password pw1 --mechanism SCRAM-SHA-256
mscomm -q kafka user add audit --new-password pw1
echo pw3 > billing.password
