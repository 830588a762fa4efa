module makegood.example/services/platform

go 1.26.0

replace (
	makegood.example/proto => ../../proto
	makegood.example/services/orders => ../../services/orders
	makegood.example/services/payments => ../../services/payments
	makegood.example/services/provisioning => ../../services/provisioning
	makegood.example/services/notifications => ../../services/notifications
	makegood.example/services/reconciliation => ../../services/reconciliation
	makegood.example/gateway => ../../gateway
	makegood.example/deploy => ../../deploy
)
