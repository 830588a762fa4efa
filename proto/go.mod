module makegood.example/proto

go 1.26.0

replace (
	makegood.example/deploy => ../deploy
	makegood.example/gateway => ../gateway
	makegood.example/services/notifications => ../services/notifications
	makegood.example/services/orders => ../services/orders
	makegood.example/services/payments => ../services/payments
	makegood.example/services/platform => ../services/platform
	makegood.example/services/provisioning => ../services/provisioning
	makegood.example/services/reconciliation => ../services/reconciliation
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.32.0
	google.golang.org/genproto/googleapis/api v0.0.0-20261012220534-4341edf3f941
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261005182115-fad411399dd8
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
