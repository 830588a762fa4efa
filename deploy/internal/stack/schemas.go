package stack

import "makegood.example/services/platform/migrate"

// services are the five, in the order in which their schemas are migrated.
var services = []string{"orders", "payments", "provisioning", "notifications", "reconciliation"}

// Schemas is what every service keeps in the database.
var Schemas = []migrate.Schema{}
