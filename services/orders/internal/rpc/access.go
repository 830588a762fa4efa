package rpc

import "makegood.example/services/platform/access"

// Access says who may call what.
var Access = access.Table{
	"/orders.v1.OrdersService/ListPlans":    {Callers: []string{"gateway"}, Role: access.Service},
	"/orders.v1.OrdersService/PlaceOrder":   {Callers: []string{"gateway"}, Role: access.Service},
	"/orders.v1.OrdersService/PayOrder":     {Callers: []string{"gateway"}, Role: access.Service},
	"/orders.v1.OrdersService/ConfirmOrder": {Callers: []string{"gateway"}, Role: access.Service},
	"/orders.v1.OrdersService/GetOrder":     {Callers: []string{"gateway"}, Role: access.Service},

	"/orders.v1.OrdersAdminService/AdvanceOrder":    {Callers: []string{"payments", "reconciliation"}, Role: access.Support},
	"/orders.v1.OrdersAdminService/DescribeOrder":   {Callers: []string{"notifications", "reconciliation"}, Role: access.Viewer},
	"/orders.v1.OrdersAdminService/ListStuckOrders": {Callers: []string{"reconciliation"}, Role: access.Viewer},
	"/orders.v1.OrdersAdminService/SetCharging":     {Role: access.Admin},
}
