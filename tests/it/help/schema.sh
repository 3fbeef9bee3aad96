umask 077
cat > config.toml <<END
[profiles.staging.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"
[profiles.staging.kafka.registry]
url = "$MSCOMM_TEST_REGISTRY"
END
export MSCOMM_PROFILE=staging REGISTRY="$MSCOMM_TEST_REGISTRY" SECRET=pw
mscomm -q kafka schema delete customers-value orders-value payments-value --permanent --if-exists
mscomm -q kafka topic create orders --if-not-exists
mscomm -q kafka schema delete address --permanent --if-exists
cat > first.avsc <<'END'
{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"int"}]}
END
cat > order.avsc <<'END'
{
  "type": "record",
  "name": "Order",
  "namespace": "shop",
  "fields": [
    { "name": "id", "type": "int" },
    { "name": "customer", "type": "string", "default": "" }
  ]
}
END
cat > customer.proto <<'END'
syntax = "proto3";
package shop;
import "shop/address.proto";
message Customer { Address address = 1; }
END
cat > address.proto <<'END'
syntax = "proto3";
package shop;
message Address { string city = 1; }
END
ID=$(mscomm kafka schema register orders-value --schema first.avsc -o json | jq .id)
export ID
mscomm -q kafka schema config orders-value --set compatibility=BACKWARD
mscomm kafka schema register orders-value --schema order.avsc > registered
mscomm kafka schema register address --schema address.proto >> registered
