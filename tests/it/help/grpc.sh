set -e
umask 077
export XDG_CACHE_HOME="$PWD/cache"
export TOKEN=t0k3n
cat > config.toml <<END
[profiles.staging]
grpc.server = "$MSCOMM_SANDBOX_GRPC"
[profiles.prod]
extends = "staging"
END
cat > orders.proto <<'END'
syntax = "proto3";
package shop.v1;

// Takes and shows orders.
service Orders {
  // An order by its number.
  rpc Get(GetRequest) returns (Order);
  // Each change of an order.
  rpc Watch(GetRequest) returns (stream Order);
}

message GetRequest {
  int64 id = 1;
}

message Order {
  int64 id = 1;
  // Who ordered.
  string customer = 2;
}
END
cat > greeter.proto <<'END'
syntax = "proto3";
package helloworld;

service Greeter {
  rpc SayHello(HelloRequest) returns (HelloReply);
}

message HelloRequest {
  string name = 1;
}

message HelloReply {
  string message = 1;
}
END
printf '{"message":"one"}\n{"message":"two"}\n{"message":"three"}\n' > requests.jsonl
# The cache knows the sandbox, and a server that is not there: a file of it that has the address (22 bytes) alone.
mscomm -q grpc list --descriptor-cache 1h > services.txt
printf '\n\026http://localhost:50051' > cache/mscomm/descriptors/localhost
