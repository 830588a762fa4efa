package stack

import (
	"slices"

	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

// services are the five, in the order in which they are migrated and started.
var services = []string{"orders", "payments", "provisioning", "notifications", "reconciliation"}

// Services are the names of the five.
func Services() []string { return slices.Clone(services) }

// Product are the names of the processes that a release consists of.
func Product() []string { return append(slices.Clone(services), "gateway") }

// Schemas is what every service keeps in the database.
var Schemas = []migrate.Schema{
	orders.Schema, payments.Schema, provisioning.Schema, notifications.Schema, reconciliation.Schema,
}
